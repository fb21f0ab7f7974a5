import type { OperationType } from '@acexy/contracts';
import { Inject, Injectable } from '@nestjs/common';
import { EngineSync } from '../engines/engine-sync.service.js';
import { PoolSettings } from '../engines/pool-settings.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { EngineLimit } from '../vpn/engine-limit.js';
import { VpnSlots } from '../vpn/vpn-slots.service.js';
import { ProvisioningBreakers } from './provisioning-breakers.js';
import { ProvisioningSettings } from './provisioning-settings.js';
import {
  capacityRefusal,
  circuitRefusal,
  preparingRefusal,
  type ProvisioningRefusedError,
  unreachableRefusal,
  vpnRefusal,
} from './refusals.policy.js';

/** Whether an engine can be started now: checks runtime, image, VPN, circuit breaker and capacity. The answer null means yes. */
@Injectable()
export class StartChecks {
  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly sync: EngineSync,
    private readonly vpnSlots: VpnSlots,
    private readonly breakers: ProvisioningBreakers,
    private readonly settings: ProvisioningSettings,
    private readonly pool: PoolSettings,
    private readonly limit: EngineLimit,
  ) {}

  /** Engines of an earlier run count and own ports, so nothing is started before they are known. */
  async knowsWhatRuns(): Promise<ProvisioningRefusedError | null> {
    return (await this.sync.knowsWhatRuns()) ? null : unreachableRefusal(this.pool.monitorIntervalMs);
  }

  /** @param image that the caller names; only TARGET_IMAGE is pulled before a start needs it */
  forContainer(image: string | undefined, operation: OperationType = 'general'): ProvisioningRefusedError | null {
    return (image === undefined ? this.imageMissing() : null) ?? (this.breakers.permits(operation) ? null : this.circuit(operation));
  }

  /** @param engines number that exist or are requested */
  forEngine(image: string | undefined, operation: OperationType, engines: number): ProvisioningRefusedError | null {
    return this.forContainer(image, operation) ?? this.vpnDown() ?? this.capacity(engines);
  }

  /** Why `POST /provision/acestream` would be refused now, for `/orchestrator/status`. */
  forStatus(engines: number): ProvisioningRefusedError | null {
    const circuit = this.breakers.permits('general') ? null : this.circuit('general');
    return this.unreachable() ?? this.preparing() ?? circuit ?? this.capacity(engines);
  }

  /** Why a start would fail without being tried. A half-open circuit breaker permits a trial. */
  blocked(operation: OperationType): ProvisioningRefusedError | null {
    const isOpen = this.breakers.report(operation).state === 'open';
    return this.unreachable() ?? this.preparing() ?? (isOpen ? this.circuit(operation) : null);
  }

  /** Checks only image and VPN. */
  preparing(): ProvisioningRefusedError | null {
    return this.imageMissing() ?? this.vpnDown();
  }

  /** The refusal of a circuit breaker that does not permit a start. */
  circuit(operation: OperationType): ProvisioningRefusedError {
    return circuitRefusal(this.breakers.report(operation), this.settings.startupGraceMs);
  }

  private unreachable(): ProvisioningRefusedError | null {
    return this.sync.runtimeReached === false ? unreachableRefusal(this.pool.monitorIntervalMs) : null;
  }

  private imageMissing(): ProvisioningRefusedError | null {
    const reason = this.runtime.preparing();
    return reason === null ? null : preparingRefusal(reason);
  }

  private vpnDown(): ProvisioningRefusedError | null {
    const reason = this.vpnSlots.closed();
    return reason === null ? null : vpnRefusal(reason);
  }

  private capacity(engines: number): ProvisioningRefusedError | null {
    return engines < this.limit.engines ? null : capacityRefusal(this.limit.engines);
  }
}
