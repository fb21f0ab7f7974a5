import type { PoolEngine } from '../../../apps/orchestrator/src/autoscaling/scaling.policy.js';

/** A healthy, ready, free engine, but for what is said otherwise. */
export function engine(id: string, overrides: Partial<PoolEngine> = {}): PoolEngine {
  return {
    id,
    lifecycle: 'ready',
    health: 'healthy',
    adopted: false,
    claims: 0,
    held: null,
    idleMs: 0,
    healthMs: 0,
    drain: null,
    ...overrides,
  };
}
