import { countEngines, type Departure, type PoolEngine, type PoolState } from './scaling.policy.js';

/** Why an engine is drained that the probes found ill. */
export const UNHEALTHY = 'unhealthy';

export interface ReplacementLimits {
  /** Healthy engines below which none is given up as long as a better one may come. */
  minHealthy: number;
  max: number;
  /** How long an engine stays unhealthy before it is drained. */
  graceMs: number;
  /** Least time between two. */
  cooldownMs: number;
}

export interface ReplacementState extends Pick<PoolState, 'engines' | 'pending' | 'total'> {
  /** Milliseconds since the last one was begun; infinite for none. */
  sinceLastMs: number;
  /** Why no engine could be started in its place just now, or null. */
  blocked: string | null;
}

export interface ReplacementPlan {
  /** The one to be drained now, or null. */
  drain: Departure | null;
  /** What the others wait for, or null where none does. */
  waitsFor: string | null;
  /** Milliseconds until time alone may change the answer; null where it cannot. */
  dueInMs: number | null;
}

/** The unhealthy ones that are to go or are going. */
export function markedForReplacement(engines: readonly PoolEngine[]): PoolEngine[] {
  return engines.filter(isIll).concat(engines.filter(isBeingReplaced));
}

/**
 * Which unhealthy engine is drained next. One at a time and some time apart: what makes many ill at once (a network, a host) seldom is
 * cured by giving them all up. A better one comes first wherever there is room for it, for as long as fewer than the minimum are healthy
 * or what plays on the ill one would have nowhere to go; where there is no room, the ill one makes it.
 */
export function planReplacement(state: ReplacementState, limits: ReplacementLimits): ReplacementPlan {
  const ill = state.engines.filter(isIll).sort((a, b) => a.claims - b.claims || b.healthMs - a.healthMs || (a.id < b.id ? -1 : 1));
  if (ill.length === 0) return { drain: null, waitsFor: null, dueInMs: null };
  const waits = (waitsFor: string, dueInMs: number | null = null): ReplacementPlan => ({ drain: null, waitsFor, dueInMs });

  const due = ill.filter(({ healthMs }) => healthMs >= limits.graceMs);
  if (due.length === 0) return waits('its grace', Math.min(...ill.map(({ healthMs }) => limits.graceMs - healthMs)));
  if (state.engines.some(isBeingReplaced)) return waits('another one that is being replaced');
  if (state.sinceLastMs < limits.cooldownMs) return waits('the cooldown', limits.cooldownMs - state.sinceLastMs);

  const healthy = state.engines.filter(({ lifecycle, health }) => lifecycle === 'ready' && health === 'healthy').length;
  const { free, coming } = countEngines(state);
  const betterMayCome = coming > 0 || state.total < limits.max;
  if (healthy < limits.minHealthy) {
    if (state.blocked !== null) return waits(`engines that can be started: ${state.blocked}`);
    if (betterMayCome) return waits(`healthy engines, ${healthy} of ${limits.minHealthy}`);
  }
  const next = due.find(({ claims }) => claims === 0 || free.length > 0 || !betterMayCome);
  if (!next) return waits('a free engine that its streams can move to');
  return {
    drain: { id: next.id, reason: UNHEALTHY },
    waitsFor: due.length > 1 ? 'their turn' : null,
    dueInMs: due.length > 1 ? limits.cooldownMs : null,
  };
}

function isIll({ lifecycle, health }: PoolEngine): boolean {
  return lifecycle === 'ready' && health === 'unhealthy';
}

function isBeingReplaced({ lifecycle, drain }: PoolEngine): boolean {
  return lifecycle === 'draining' && drain?.reason === UNHEALTHY;
}

/**
 * How many of the engines about to be started take the place of ill ones. Callers who wait come first: what is started for them is no
 * replacement, whatever else is ill.
 * @param underWay replacements ordered or starting already
 */
export function replacementsAmong(start: number, { engines, waiting }: Pick<PoolState, 'engines' | 'waiting'>, underWay: number): number {
  const ill = markedForReplacement(engines).length;
  return Math.max(0, Math.min(start - waiting, ill - underWay));
}
