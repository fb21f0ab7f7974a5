/** Which unhealthy engine is drained next, and which starts replace unhealthy engines. Pure. */
import { countEngines, type PoolEngine, type PoolState, type Removal } from './scaling.policy.js';

/** Drain reason of an engine whose probes failed. */
export const UNHEALTHY = 'unhealthy';

export interface ReplacementLimits {
  /** With fewer healthy engines, no engine is drained while a better one may come. */
  minHealthy: number;
  max: number;
  /** How long an engine stays unhealthy before it is drained. */
  graceMs: number;
  /** Shortest time between two drains. */
  cooldownMs: number;
}

export interface ReplacementState extends Pick<PoolState, 'engines' | 'pending' | 'total'> {
  /** Milliseconds since the last drain; Infinity before the first. */
  sinceLastMs: number;
  /** Why no replacement can be started now; null when it can. */
  blocked: string | null;
}

export interface ReplacementPlan {
  /** The engine to drain now. */
  drain: Removal | null;
  /** What the other unhealthy engines wait for. */
  waitsFor: string | null;
  /** Milliseconds until time alone may change the plan; null when it cannot. */
  dueInMs: number | null;
}

/**
 * Drains one unhealthy engine at a time, with a cooldown: when many become unhealthy together, the cause is often the network or the host, and
 * draining them all does not help. A replacement starts first if there is room for it, while fewer than the minimum are healthy or the streams
 * of the unhealthy engine have no free engine to move to. Without room, the unhealthy engine is drained to make it.
 */
export function planReplacement(state: ReplacementState, limits: ReplacementLimits): ReplacementPlan {
  const unhealthy = state.engines
    .filter(isUnhealthy)
    .sort((a, b) => a.claims - b.claims || b.healthMs - a.healthMs || (a.id < b.id ? -1 : 1));
  if (unhealthy.length === 0) return { drain: null, waitsFor: null, dueInMs: null };
  const wait = (waitsFor: string, dueInMs: number | null = null): ReplacementPlan => ({ drain: null, waitsFor, dueInMs });

  const due = unhealthy.filter(({ healthMs }) => healthMs >= limits.graceMs);
  if (due.length === 0) return wait('the end of the grace period', Math.min(...unhealthy.map(({ healthMs }) => limits.graceMs - healthMs)));
  if (state.engines.some(isBeingReplaced)) return wait('the current replacement');
  if (state.sinceLastMs < limits.cooldownMs) return wait('the end of the cooldown', limits.cooldownMs - state.sinceLastMs);

  const healthy = state.engines.filter(({ lifecycle, health }) => lifecycle === 'ready' && health === 'healthy').length;
  const { free, coming } = countEngines(state);
  const betterMayCome = coming > 0 || state.total < limits.max;
  if (healthy < limits.minHealthy) {
    if (state.blocked !== null) return wait(`a new engine, which cannot be started: ${state.blocked}`);
    if (betterMayCome) return wait(`more healthy engines: ${healthy} of ${limits.minHealthy}`);
  }
  const next = due.find(({ claims }) => claims === 0 || free.length > 0 || !betterMayCome);
  if (!next) return wait('a free engine for their streams');
  const more = due.length > 1;
  return {
    drain: { id: next.id, reason: UNHEALTHY },
    waitsFor: more ? 'the current replacement' : null,
    dueInMs: more ? limits.cooldownMs : null,
  };
}

/**
 * How many of the next starts replace unhealthy engines. Starts for waiting requests come first and are not replacements.
 * @param inProgress replacements that are requested or starting
 */
export function countReplacements(start: number, { engines, waiting }: Pick<PoolState, 'engines' | 'waiting'>, inProgress: number): number {
  const unhealthy = engines.filter((engine) => isUnhealthy(engine) || isBeingReplaced(engine)).length;
  return Math.max(0, Math.min(start - waiting, unhealthy - inProgress));
}

function isUnhealthy({ lifecycle, health }: PoolEngine): boolean {
  return lifecycle === 'ready' && health === 'unhealthy';
}

function isBeingReplaced({ lifecycle, drain }: PoolEngine): boolean {
  return lifecycle === 'draining' && drain?.reason === UNHEALTHY;
}
