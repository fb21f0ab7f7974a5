import type { OperationType } from '@acexy/contracts';
import { Inject, Injectable } from '@nestjs/common';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { EngineLimit } from '../vpn/engine-limit.js';
import { VpnSlots } from '../vpn/vpn-slots.service.js';
import { EngineLauncher } from './engine-launcher.js';
import { ProvisioningBreakers } from './provisioning-breakers.js';
import { ProvisioningSettings } from './provisioning-settings.js';
import {
  capacityRefusal,
  circuitRefusal,
  portsRefusal,
  preparingRefusal,
  type ProvisioningRefusedError,
  unreachableRefusal,
  vpnRefusal,
} from './refusals.policy.js';

const NOT_LISTED = 'the engines of an earlier run are not known yet';

/**
 * Whether an engine can be started now; the answer null means yes. Causes come before effects, in the same order for every caller: the runtime, the
 * image, the VPN, the circuit breaker, the limit of engines, ports.
 */
@Injectable()
export class StartChecks {
  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly sync: EngineSync,
    private readonly registry: EngineRegistry,
    private readonly vpnSlots: VpnSlots,
    private readonly breakers: ProvisioningBreakers,
    private readonly launcher: EngineLauncher,
    private readonly settings: ProvisioningSettings,
    private readonly limit: EngineLimit,
  ) {}

  /** Engines of an earlier run count and own ports, so nothing is started before they are known. */
  async knowsWhatRuns(): Promise<ProvisioningRefusedError | null> {
    return (await this.sync.knowsWhatRuns()) ? null : (this.unreachable() ?? unreachableRefusal(NOT_LISTED));
  }

  /** @param image that the caller names; only TARGET_IMAGE is pulled before a start needs it */
  forContainer(image: string | undefined): ProvisioningRefusedError | null {
    return this.unreachable() ?? this.imageMissing(image) ?? this.notPermitted('general');
  }

  /** @param engines number that exist or are requested */
  forEngine(image: string | undefined, operation: OperationType, engines: number): ProvisioningRefusedError | null {
    return (
      this.unreachable() ??
      this.imageMissing(image) ??
      this.vpnDown() ??
      this.notPermitted(operation) ??
      this.capacity(engines) ??
      this.portsTaken()
    );
  }

  /** Why the reconcile loop cannot start an engine. A half-open circuit breaker permits a trial; the loop knows the limit of engines. */
  blocked(operation: OperationType): ProvisioningRefusedError | null {
    const isOpen = this.breakers.report(operation).state === 'open';
    return this.unreachable() ?? this.preparing() ?? (isOpen ? this.circuit(operation) : null) ?? this.portsTaken();
  }

  /** Checks only image and VPN. */
  preparing(): ProvisioningRefusedError | null {
    return this.imageMissing(undefined) ?? this.vpnDown();
  }

  /** The refusal of a circuit breaker that does not permit a start. */
  circuit(operation: OperationType): ProvisioningRefusedError {
    const report = this.breakers.report(operation);
    const trial = this.registry.get(this.breakers.trialEngine(operation) ?? '');
    return circuitRefusal(
      { ...report, lastFailure: report.lastFailure?.reason ?? null, trial: trial ? this.launcher.outputOf(trial.instance.name) : null },
      this.settings.startupGraceMs,
    );
  }

  private notPermitted(operation: OperationType): ProvisioningRefusedError | null {
    return this.breakers.permits(operation) ? null : this.circuit(operation);
  }

  private unreachable(): ProvisioningRefusedError | null {
    const { runtimeProblem } = this.sync;
    return runtimeProblem === null ? null : unreachableRefusal(runtimeProblem);
  }

  private imageMissing(image: string | undefined): ProvisioningRefusedError | null {
    const reason = image === undefined ? this.runtime.preparing() : null;
    return reason === null ? null : preparingRefusal(reason);
  }

  private vpnDown(): ProvisioningRefusedError | null {
    const reason = this.vpnSlots.closed();
    return reason === null ? null : vpnRefusal(reason);
  }

  private capacity(engines: number): ProvisioningRefusedError | null {
    return engines < this.limit.engines ? null : capacityRefusal(this.limit.engines);
  }

  private portsTaken(): ProvisioningRefusedError | null {
    const shortage = this.launcher.portShortage();
    return shortage === null ? null : portsRefusal(shortage);
  }
}
