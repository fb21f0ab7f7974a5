import { Log } from '@acexy/service-kit';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Clock, forEachConcurrently, retryDelayMs, WakeableLoop } from '@acexy/service-kit/primitives';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { RetrySettings } from '../engines/retry-settings.js';
import { HealthSettings } from './health-settings.js';
import { EngineProber } from './engine-prober.js';
import { healthVerdict } from './health-verdict.policy.js';

/** A hung engine delays only its own check. */
const CONCURRENT_PROBES = 32;

interface CheckState {
  /** Failed checks in a row. */
  failures: number;
  /** Time of the next check, monotonic milliseconds. */
  nextAt: number;
}

/**
 * Checks every engine in service every HEALTH_CHECK_INTERVAL_S. After a failed check it retries sooner, by MAX_RETRIES and RETRY_BACKOFF_S,
 * so that a hung engine is found within seconds and not after several intervals.
 */
@Injectable()
export class HealthMonitor implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly checks = new Map<string, CheckState>();
  private readonly loop: WakeableLoop;
  private readonly log: Log;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly prober: EngineProber,
    private readonly settings: HealthSettings,
    private readonly retries: RetrySettings,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('health');
    this.loop = new WakeableLoop({
      name: 'health checks',
      intervalMs: settings.healthCheckIntervalMs,
      round: (signal) => this.round(signal),
      log: this.log,
    });
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** Failed checks of the engine in a row. */
  missedChecks(engineId: string): number {
    return this.checks.get(engineId)?.failures ?? 0;
  }

  private async round(signal: AbortSignal): Promise<number> {
    const now = this.clock.now();
    const engines = this.registry.inService();
    const known = new Set(engines.map((engine) => engine.id));
    for (const id of this.checks.keys()) if (!known.has(id)) this.checks.delete(id);
    const due = engines.filter(({ id }) => (this.checks.get(id)?.nextAt ?? 0) <= now);
    await forEachConcurrently(due, CONCURRENT_PROBES, (engine) => this.check(engine, signal));
    // An engine that became ready meanwhile has just answered: it can wait for the next round.
    const delays = [...this.checks.values()].map(({ nextAt }) => nextAt - this.clock.now());
    return Math.min(this.settings.healthCheckIntervalMs, ...delays);
  }

  private async check(engine: Engine, signal: AbortSignal): Promise<void> {
    const { healthCheckIntervalMs: intervalMs, healthFailureThreshold } = this.settings;
    const startedAt = this.clock.now();
    const error = await this.prober.probe(engine, signal);
    const before = { health: engine.health, failures: this.missedChecks(engine.id) };
    const { health, failures } = healthVerdict(before, error === null, healthFailureThreshold);
    const delayMs = Math.min(intervalMs, retryDelayMs(failures, this.retries) ?? intervalMs);
    // The interval counts from the start of the check, a retry delay from its end.
    this.checks.set(engine.id, { failures, nextAt: (failures === 0 ? startedAt : this.clock.now()) + delayMs });
    if (error) this.log.warn('engine health check failed', { engine_id: engine.id, failures, error: error.message });
    this.registry.probed(engine.id, health, error?.message);
  }
}
