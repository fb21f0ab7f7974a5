import { HEALTH_STATUSES } from '@acexy/contracts';
import { readGauge } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { PoolSettings } from './pool-settings.js';
import { LIFECYCLES } from './engine.js';
import { EngineRegistry } from './engine-registry.js';

@Injectable()
export class EngineMetrics {
  constructor(registry: EngineRegistry, settings: PoolSettings) {
    readGauge('orch_engines_total', 'Engines by health', ['health_status'], (set) => {
      for (const status of HEALTH_STATUSES) set(registry.all().filter(({ health }) => health === status).length, { health_status: status });
    });
    readGauge('orch_engines_lifecycle', 'Engines by lifecycle state', ['lifecycle'], (set) => {
      for (const state of LIFECYCLES) set(registry.all().filter(({ lifecycle }) => lifecycle === state).length, { lifecycle: state });
    });
    readGauge('orch_pool_limit', 'MIN_REPLICAS (min_free) and MAX_REPLICAS (max)', ['limit'], (set) => {
      set(settings.minReplicas, { limit: 'min_free' });
      set(settings.maxReplicas, { limit: 'max' });
    });
  }
}
