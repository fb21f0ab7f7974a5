import type { Clock } from '@acexy/service-kit/primitives';
import type { EngineInstance } from '../../../apps/orchestrator/src/runtime/engine-runtime.js';
import { EngineRegistry } from '../../../apps/orchestrator/src/engines/engine-registry.js';
import type { PoolEngine } from '../../../apps/orchestrator/src/autoscaling/scaling.policy.js';
import type { Candidate } from '../../../apps/orchestrator/src/leases/selection.policy.js';

/** An engine as a runtime lists it. */
export function anInstance(id: string, overrides: Partial<EngineInstance> = {}): EngineInstance {
  return {
    id,
    name: `acestream-${id}`,
    kind: 'acestream',
    image: 'fake',
    state: 'running',
    host: '127.0.0.1',
    port: 19_000,
    ports: { http: 19_000, https: 45_000, api: 35_000, p2p: 36_000 },
    labels: {},
    published: {},
    createdAt: 0,
    maxUptimeMs: null,
    exitCode: null,
    ...overrides,
  };
}

/** A registry with ready engines. */
export function aRegistry(clock: Clock, ...readyIds: string[]): EngineRegistry {
  const registry = new EngineRegistry(clock);
  for (const id of readyIds) {
    registry.add(anInstance(id));
    registry.ready(id);
  }
  return registry;
}

/** A free, healthy engine. */
export function aCandidate(id: string, overrides: Partial<Candidate> = {}): Candidate {
  return {
    id,
    lifecycle: 'ready',
    health: 'healthy',
    forwarded: false,
    claims: 0,
    contents: new Set(),
    cordoned: null,
    lastStreamUsage: null,
    ...overrides,
  };
}

/** The same for the scaling policy. */
export function aPoolEngine(id: string, overrides: Partial<PoolEngine> = {}): PoolEngine {
  return {
    id,
    lifecycle: 'ready',
    health: 'healthy',
    adopted: false,
    claims: 0,
    cordon: null,
    idleMs: 0,
    healthMs: 0,
    drain: null,
    ...overrides,
  };
}
