import type { BlockedReason, CapacityFigures, OrchestratorStatus, ProvisioningAbility } from '@acexy/contracts';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { EngineRegistry } from '../engines/engine-registry.js';
import { isoTime, isoTimeOrNull } from '../engines/engine-state.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { PoolSettings } from '../engines/pool-settings.js';
import { EngineLimit } from '../vpn/engine-limit.js';
import { StreamService } from '../streams/stream.service.js';
import { VpnService } from '../vpn/vpn.service.js';
import { EnginesHealth, wholeSeconds } from './engines-health.service.js';
import { ReadinessReport } from './readiness-report.service.js';

/** The body of `/orchestrator/status`, which proxies read before they provision an engine. */
@Injectable()
export class OrchestratorStatusReport {
  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly registry: EngineRegistry,
    private readonly claims: EngineClaimBook,
    private readonly streams: StreamService,
    private readonly provisioning: ProvisioningService,
    private readonly health: EnginesHealth,
    private readonly readiness: ReadinessReport,
    private readonly vpn: VpnService,
    private readonly settings: PoolSettings,
    private readonly limit: EngineLimit,
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
    const { minReplicas, maxStreamsPerEngine } = this.settings;
    const usable = this.registry
      .all()
      .filter(({ lifecycle, health, cutOff }) => lifecycle === 'ready' && health !== 'unhealthy' && cutOff === null);
    const claims = usable.map(({ id }) => this.claims.on(id));
    const free = claims.map(({ count, cordon }) => (cordon === null ? Math.max(0, maxStreamsPerEngine - count) : 0));
    return {
      total: usable.length * maxStreamsPerEngine,
      used: sum(claims.map(({ count }) => count)),
      available: sum(free),
      max_replicas: this.limit.engines,
      min_replicas: minReplicas,
    };
  }

  private ability(): ProvisioningAbility {
    const detail = this.provisioning.checks.forEngine(undefined, 'general', this.provisioning.engineCount())?.toDetail() ?? null;
    return {
      can_provision: detail === null,
      circuit_breaker_state: this.provisioning.breakers.report('general').state,
      last_failure: isoTimeOrNull(this.provisioning.breakers.lastFailure?.at ?? null),
      blocked_reason: detail?.message ?? null,
      blocked_reason_details: detail && withoutError(detail),
    };
  }
}

function withoutError({ error: _error, ...reason }: BlockedReason & { error: string }): BlockedReason {
  return reason;
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0);
}
