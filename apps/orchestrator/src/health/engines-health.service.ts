import type { CircuitBreakerStatus, EngineHealthScore, EnginesHealthStatus } from '@acexy/contracts';
import { Injectable } from '@nestjs/common';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { isoTimeOrNull, toEngineState } from '../engines/engine-state.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import type { OperationReport } from '../provisioning/provisioning-breakers.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { PoolSettings } from '../engines/pool-settings.js';
import { HealthSettings } from './health-settings.js';
import { HealthMonitor } from './health-monitor.service.js';
import { healthScore } from './health-score.policy.js';

/** Health of the engines, of each one and in total, as the API reports it. */
@Injectable()
export class EnginesHealth {
  constructor(
    private readonly registry: EngineRegistry,
    private readonly claims: EngineClaimBook,
    private readonly monitor: HealthMonitor,
    private readonly provisioning: ProvisioningService,
    private readonly settings: HealthSettings,
    private readonly pool: PoolSettings,
  ) {}

  /** Scores of all engines whose API has answered, best first. */
  scores(): EngineHealthScore[] {
    return this.registry
      .inService()
      .map((engine) => this.scoreOf(engine))
      .sort((a, b) => b.health_score - a.health_score || a.stream_count - b.stream_count || (a.container_id < b.container_id ? -1 : 1));
  }

  status(): EnginesHealthStatus {
    const inService = this.registry.inService();
    const engines = inService.map(toEngineState);
    const count = (health: string): number => engines.filter(({ health_status: status }) => status === health).length;
    const { general, replacement } = this.provisioning.breakers.reports();
    return {
      total_engines: engines.length,
      healthy_engines: count('healthy'),
      unhealthy_engines: count('unhealthy'),
      marked_for_replacement: inService.filter(({ lifecycle, health }) => lifecycle === 'draining' && health === 'unhealthy').length,
      minimum_required: this.pool.minReplicas,
      health_check_interval: wholeSeconds(this.settings.healthCheckIntervalMs),
      circuit_breakers: { general: breakerStatus(general), replacement: breakerStatus(replacement) },
    };
  }

  private scoreOf(engine: Engine): EngineHealthScore {
    const { container_id, host, port, health_status } = toEngineState(engine);
    const { count, cordon } = this.claims.on(engine.id);
    const { score, reasons } = healthScore({
      lifecycle: engine.lifecycle,
      health: engine.health,
      missedChecks: this.monitor.missedChecks(engine.id),
      claims: count,
      maxStreams: this.pool.maxStreamsPerEngine,
      cordoned: engine.cutOff ?? cordon?.reason ?? null,
    });
    return { container_id, host, port, health_score: score, stream_count: engine.streams.length, health_status, reasons };
  }
}

/** Seconds rounded up: some clients drop an answer that has a fraction. */
export function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

function breakerStatus({ state, failures, threshold, timeoutSeconds, retryInSeconds, lastFailure }: OperationReport): CircuitBreakerStatus {
  return {
    state,
    failure_count: failures,
    failure_threshold: threshold,
    recovery_timeout: Math.ceil(timeoutSeconds),
    recovery_eta_seconds: retryInSeconds,
    last_failure_time: isoTimeOrNull(lastFailure?.at ?? null),
    last_failure_reason: lastFailure?.reason || null,
  };
}
