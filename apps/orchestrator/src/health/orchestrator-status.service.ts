import type { BlockedReason, CapacityFigures, OrchestratorStatus, ProvisioningAbility } from '@acexy/contracts';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { isoTime, isoTimeOrNull } from '../engines/engine-state.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { capacityRefusal, circuitRefusal, type ProvisioningRefusedError, unreachableRefusal } from '../provisioning/refusals.policy.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { OrchestratorSettings } from '../settings.js';
import { StreamService } from '../streams/stream.service.js';
import { VpnService } from '../vpn/vpn.service.js';
import { EnginesHealth, wholeSeconds } from './engines-health.service.js';
import { ReadinessReport } from './readiness-report.service.js';

/** The body of `/orchestrator/status` (wire API 1.4), which proxies read before they provision an engine. */
@Injectable()
export class OrchestratorStatusReport {
  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly registry: EngineRegistry,
    private readonly sync: EngineSync,
    private readonly claims: EngineClaimBook,
    private readonly streams: StreamService,
    private readonly provisioning: ProvisioningService,
    private readonly health: EnginesHealth,
    private readonly readiness: ReadinessReport,
    private readonly vpn: VpnService,
    private readonly settings: OrchestratorSettings,
    private readonly clock: Clock,
  ) {}

  async make(): Promise<OrchestratorStatus> {
    const { ready, status } = await this.readiness.make();
    const engines = this.registry.all();
    const { healthy_engines: healthy, unhealthy_engines: unhealthy } = this.health.status();
    const { enabled, connected, health, container, forwarded_port } = this.vpn.status();
    return {
      status: ready ? (status === 'ok' ? 'healthy' : 'degraded') : 'unavailable',
      engines: { total: Math.max(engines.length, this.provisioning.engineCount()), running: engines.length, healthy, unhealthy },
      streams: { active: this.streams.activeCount, total: this.streams.totalCount },
      capacity: this.capacity(),
      vpn: { enabled, connected, health, container, forwarded_port },
      provisioning: this.ability(),
      config: {
        auto_delete: this.settings.autoDelete,
        grace_period_s: wholeSeconds(this.settings.engineGracePeriodMs),
        target_image: this.runtime.image()?.name ?? `local ${this.runtime.name}`,
      },
      timestamp: isoTime(this.clock.wallTime()),
    };
  }

  /** In streams, because an engine may carry several. */
  private capacity(): CapacityFigures {
    const { engineLimit, minReplicas, maxStreamsPerEngine } = this.settings;
    const usable = this.registry
      .all()
      .filter(({ lifecycle, health, cutOff }) => lifecycle === 'ready' && health !== 'unhealthy' && cutOff === null);
    const claims = usable.map(({ id }) => this.claims.on(id));
    const free = claims.map(({ count, cordon }) => (cordon === null ? Math.max(0, maxStreamsPerEngine - count) : 0));
    return {
      total: usable.length * maxStreamsPerEngine,
      used: sum(claims.map(({ count }) => count)),
      available: sum(free),
      max_replicas: engineLimit,
      min_replicas: minReplicas,
    };
  }

  private ability(): ProvisioningAbility {
    const detail = this.refusal()?.toDetail() ?? null;
    return {
      can_provision: detail === null,
      circuit_breaker_state: this.provisioning.breakers.report('general').state,
      last_failure: isoTimeOrNull(this.provisioning.breakers.lastFailure?.at ?? null),
      blocked_reason: detail?.message ?? null,
      blocked_reason_details: detail && withoutError(detail),
    };
  }

  /** The refusal that `POST /provision/acestream` would get now, or null. */
  private refusal(): ProvisioningRefusedError | null {
    const { engineLimit, autoscaleIntervalMs, monitorIntervalMs, startupGraceMs } = this.settings;
    if (this.sync.runtimeReached === false) return unreachableRefusal(monitorIntervalMs);
    const preparing = this.provisioning.preparing();
    if (preparing) return preparing;
    const { breakers } = this.provisioning;
    if (!breakers.permits('general')) return circuitRefusal(breakers.report('general'), startupGraceMs);
    return this.provisioning.engineCount() >= engineLimit ? capacityRefusal(engineLimit, autoscaleIntervalMs) : null;
  }
}

function withoutError({ error: _error, ...reason }: BlockedReason & { error: string }): BlockedReason {
  return reason;
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0);
}
