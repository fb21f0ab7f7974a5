import { Inject, Injectable, ServiceUnavailableException } from '@nestjs/common';
import { HealthIndicatorService, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { Clock } from '@acexy/service-kit/primitives';
import { DatabaseHealth } from '../database/database-health.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { isoTime } from '../engines/engine-state.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { StreamService } from '../streams/stream.service.js';
import type { ReadyAnswer } from './health-answers.js';
import { Readiness } from './readiness.js';

/** Gathers what `/health/ready` says. */
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
    const inService = this.registry.all().filter((engine) => engine.lifecycle !== 'starting');
    const ready = result.status === 'ok';
    const image = this.runtime.image();
    const able = circuitState === 'closed' && this.provisioning.preparing() === null;
    return {
      ...result,
      // Degraded: it does its work, but no engine can be started, or none is well.
      status: ready
        ? able && inService.some(({ health, cutOff }) => health === 'healthy' && cutOff === null)
          ? 'ok'
          : 'degraded'
        : result.status,
      info: result.info ?? {},
      error: result.error ?? {},
      ready,
      engines: inService.length,
      active_streams: this.streams.activeCount,
      circuit_state: circuitState,
      provisioning,
      ...(image && { image }),
      timestamp: isoTime(this.clock.wallTime()),
    };
  }

  private async check(): Promise<HealthCheckResult> {
    const indicator = (name: string, up: boolean, why: string) => async () =>
      up ? this.indicators.check(name).up() : this.indicators.check(name).down({ message: why });
    const databaseReached = await this.database.isReachable();
    try {
      return await this.checks.check([
        indicator('service', !this.readiness.isShuttingDown, 'shutting down'),
        indicator('reconcile', this.readiness.isReconciled, 'the first round is not done yet'),
        indicator('runtime', this.sync.runtimeReached !== false, 'what runs the engines is out of reach'),
        indicator('database', databaseReached, 'the database is out of reach'),
      ]);
    } catch (error) {
      if (error instanceof ServiceUnavailableException) return error.getResponse() as HealthCheckResult;
      throw error;
    }
  }
}
