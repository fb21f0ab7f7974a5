import { HEALTH_STATUSES } from '@acexy/contracts';
import { readGauge } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { OrchestratorSettings } from '../settings.js';
import { type Engine, EngineRegistry, LIFECYCLES } from './engine-registry.js';
import { LeaseService } from '../leases/lease.service.js';

/** What a ready engine is doing: `free` to be leased, `busy` with streams or leases, `held` back, or `unhealthy` and so none of these. */
const USES = ['free', 'busy', 'held', 'unhealthy'] as const;
type Use = (typeof USES)[number];

/** The pool in figures. */
@Injectable()
export class EngineMetrics {
  constructor(
    registry: EngineRegistry,
    private readonly leases: LeaseService,
    settings: OrchestratorSettings,
  ) {
    const engines = (): readonly Engine[] => registry.all();
    readGauge('orch_engines_total', 'Engines by health', ['health_status'], (set) => {
      for (const status of HEALTH_STATUSES) set(engines().filter((engine) => engine.health === status).length, { health_status: status });
    });
    readGauge('orch_engines_lifecycle', 'Engines by where they stand in their life', ['lifecycle'], (set) => {
      for (const lifecycle of LIFECYCLES) set(engines().filter((engine) => engine.lifecycle === lifecycle).length, { lifecycle });
    });
    readGauge('orch_engines_use', 'Ready engines by what they are doing', ['use'], (set) => {
      const ready = engines().filter((engine) => engine.lifecycle === 'ready');
      for (const use of USES) set(ready.filter((engine) => this.useOf(engine) === use).length, { use });
    });
    readGauge('orch_pool_limit', 'MIN_REPLICAS (min_free) and MAX_REPLICAS (max)', ['limit'], (set) => {
      set(settings.minReplicas, { limit: 'min_free' });
      set(settings.maxReplicas, { limit: 'max' });
    });
    readGauge('orch_leases_active', 'Leases in force', [], (set) => set(leases.leaseCount));
    readGauge('orch_leases_waiting', 'Callers who wait for an engine', [], (set) => set(leases.waitingCount));
  }

  private useOf({ id, health }: Engine): Use {
    if (this.leases.claimCount(id) > 0) return 'busy';
    if (health === 'unhealthy') return 'unhealthy';
    return this.leases.holdOn(id) === null ? 'free' : 'held';
  }
}
