import { Log } from '@acexy/service-kit';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Clock, retryDelayMs, WakeableLoop } from '@acexy/service-kit/primitives';
import { type Engine, EngineRegistry } from '../engines/engine-registry.js';
import { OrchestratorSettings } from '../settings.js';
import { EngineProber } from './engine-prober.js';
import { healthVerdict } from './health-verdict.policy.js';

/** Probes at the same time; one hung engine costs its timeout, not the others'. */
const CONCURRENT_PROBES = 32;

interface Watched {
  failures: number;
  /** Monotonic milliseconds. */
  nextAt: number;
}

/**
 * Asks every engine that is in service how it is, every HEALTH_CHECK_INTERVAL_S. One that did not answer is asked again sooner, as
 * MAX_RETRIES and RETRY_BACKOFF_S say, so that a hung one is found in seconds and not after several intervals.
 */
@Injectable()
export class HealthMonitor implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly watched = new Map<string, Watched>();
  private readonly loop: WakeableLoop;
  private readonly log: Log;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly prober: EngineProber,
    private readonly settings: OrchestratorSettings,
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

  /** In a row, up to now. */
  missedChecks(engineId: string): number {
    return this.watched.get(engineId)?.failures ?? 0;
  }

  private async round(signal: AbortSignal): Promise<number> {
    const now = this.clock.now();
    const engines = this.registry.all().filter((engine) => engine.lifecycle !== 'starting');
    const known = new Set(engines.map((engine) => engine.id));
    for (const id of this.watched.keys()) if (!known.has(id)) this.watched.delete(id);
    const queue = engines.filter(({ id }) => (this.watched.get(id)?.nextAt ?? 0) <= now)[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (const engine of queue) await this.check(engine, signal);
    };
    await Promise.all(Array.from({ length: CONCURRENT_PROBES }, worker));
    // Those that became ready meanwhile have just answered.
    const dues = [...this.watched.values()].map(({ nextAt }) => nextAt - this.clock.now());
    return Math.min(this.settings.healthCheckIntervalMs, ...dues);
  }

  private async check(engine: Engine, signal: AbortSignal): Promise<void> {
    const askedAt = this.clock.now();
    const error = await this.prober.probe(engine, signal);
    const before = { health: engine.health, failures: this.watched.get(engine.id)?.failures ?? 0 };
    const after = healthVerdict(before, error === null, this.settings.healthFailureThreshold);
    const { failures } = after;
    const { healthCheckIntervalMs } = this.settings;
    const pauseMs = Math.min(healthCheckIntervalMs, retryDelayMs(failures, this.settings) ?? healthCheckIntervalMs);
    // The regular time counts from the question, a repetition from the failure.
    const nextAt = failures === 0 ? askedAt + pauseMs : this.clock.now() + pauseMs;
    this.watched.set(engine.id, { failures, nextAt });
    if (error) this.log.warn('engine did not answer its health check', { engine_id: engine.id, failures, error: error.message });
    this.registry.probed(engine.id, after.health, error?.message);
  }
}
