import { HEALTH_STATUSES } from '@acexy/contracts';
import { readGauge } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { LIFECYCLES } from './engine.js';
import { EngineRegistry } from './engine-registry.js';
import { EngineSync } from './engine-sync.service.js';

@Injectable()
export class EngineMetrics {
  constructor(registry: EngineRegistry, sync: EngineSync) {
    readGauge('orch_engines_total', 'Engines by health', ['health_status'], (set) => {
      for (const status of HEALTH_STATUSES) set(registry.all().filter(({ health }) => health === status).length, { health_status: status });
    });
    readGauge('orch_engines_lifecycle', 'Engines by lifecycle state', ['lifecycle'], (set) => {
      for (const state of LIFECYCLES) set(registry.all().filter(({ lifecycle }) => lifecycle === state).length, { lifecycle: state });
    });
    readGauge('orch_engines_outdated', 'Engines that are made from another image or other settings than a new engine', [], (set) =>
      set(registry.all().filter(({ outdated }) => outdated).length),
    );
    readGauge('orch_runtime_reachable', '0 while the container runtime does not answer', [], (set) =>
      set(sync.runtimeProblem === null ? 1 : 0),
    );
  }
}
