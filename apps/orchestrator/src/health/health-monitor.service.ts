import { Log } from '@acexy/service-kit';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { type Engine, EngineRegistry } from '../engines/engine-registry.js';
import { OrchestratorSettings } from '../settings.js';
import { WakeableLoop } from '../wakeable-loop.js';
import { EngineProber } from './engine-prober.js';
import { healthVerdict } from './health-verdict.policy.js';

/** Probes at the same time; one hung engine costs its timeout, not the others'. */
const CONCURRENT_PROBES = 32;

/** Asks every engine that is in service how it is, every HEALTH_CHECK_INTERVAL_S. */
@Injectable()
export class HealthMonitor implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly failures = new Map<string, number>();
  private readonly loop: WakeableLoop;
  private readonly log: Log;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly prober: EngineProber,
    private readonly settings: OrchestratorSettings,
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

  private async round(signal: AbortSignal): Promise<void> {
    const engines = this.registry.all().filter((engine) => engine.lifecycle !== 'starting');
    const known = new Set(engines.map((engine) => engine.id));
    for (const id of this.failures.keys()) if (!known.has(id)) this.failures.delete(id);
    const queue = engines[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (const engine of queue) await this.check(engine, signal);
    };
    await Promise.all(Array.from({ length: CONCURRENT_PROBES }, worker));
  }

  private async check(engine: Engine, signal: AbortSignal): Promise<void> {
    const error = await this.prober.probe(engine, signal);
    const before = { health: engine.health, failures: this.failures.get(engine.id) ?? 0 };
    const after = healthVerdict(before, error === null, this.settings.healthFailureThreshold);
    this.failures.set(engine.id, after.failures);
    if (error)
      this.log.warn('engine did not answer its health check', { engine_id: engine.id, failures: after.failures, error: error.message });
    this.registry.probed(engine.id, after.health, error?.message);
  }
}
