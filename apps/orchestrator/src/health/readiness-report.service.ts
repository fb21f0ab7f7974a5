import { Inject, Injectable, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheckService, type HealthCheckResult, type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Clock } from '@acexy/service-kit/primitives';
import { DatabaseHealth } from '../database/database-health.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { isoTime } from '../engines/engine-state.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { StreamService } from '../streams/stream.service.js';
import type { ReadyAnswer } from './health-answers.js';
import { Readiness } from './readiness.js';

const EVENTS_MISSING = 'no events arrive from the container runtime: changes of engines are noticed only every MONITOR_INTERVAL_S';

/** The body of `/health/ready`. */
@Injectable()
export class ReadinessReport {
  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly checks: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly readiness: Readiness,
    private readonly registry: EngineRegistry,
    private readonly sync: EngineSync,
    private readonly database: DatabaseHealth,
    private readonly provisioning: ProvisioningService,
    private readonly streams: StreamService,
    private readonly clock: Clock,
  ) {}

  async make(): Promise<ReadyAnswer> {
    const result = await this.check();
    const { circuitState, ...provisioning } = this.provisioning.status();
    const inService = this.registry.inService();
    const ready = result.status === 'ok';
    const image = this.runtime.image();
    const failure = this.provisioning.breakers.currentFailure;
    // Degraded: no engine can be started, or none is healthy.
    const degraded =
      circuitState !== 'closed' ||
      this.provisioning.checks.preparing() !== null ||
      !inService.some(({ health, cutOff }) => health === 'healthy' && cutOff === null);
    return {
      ...result,
      status: ready && degraded ? 'degraded' : result.status,
      info: result.info ?? {},
      error: result.error ?? {},
      ready,
      engines: inService.length,
      active_streams: this.streams.activeCount,
      circuit_state: circuitState,
      provisioning,
      last_start_failure: failure && { reason: failure.reason, at: isoTime(failure.at) },
      ...(image && { image }),
      timestamp: this.clock.iso(),
    };
  }

  private async check(): Promise<HealthCheckResult> {
    try {
      return await this.checks.check([
        () => this.indicator('service', !this.readiness.isShuttingDown, 'shutting down'),
        () => this.indicator('reconcile', this.readiness.isReconciled, 'first reconcile round not finished'),
        () => this.runtimeIndicator(),
        async () => this.indicator('database', await this.database.isReachable(), 'database unreachable'),
      ]);
    } catch (error) {
      if (error instanceof ServiceUnavailableException) return error.getResponse() as HealthCheckResult;
      throw error;
    }
  }

  /** Up also without events, because the lists show every change, only later. */
  private runtimeIndicator(): HealthIndicatorResult {
    if (this.sync.runtimeProblem === null && this.sync.eventsMissing)
      return this.indicators.check('runtime').up({ message: EVENTS_MISSING });
    return this.indicator('runtime', this.sync.runtimeProblem === null, this.sync.runtimeProblem ?? '');
  }

  private indicator(name: string, up: boolean, message: string): HealthIndicatorResult {
    const indicator = this.indicators.check(name);
    return up ? indicator.up() : indicator.down({ message });
  }
}
