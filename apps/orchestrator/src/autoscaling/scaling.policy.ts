import type { HealthStatus } from '@acexy/contracts';
import type { CordonKind } from '../leases/engine-claims.js';
import type { Lifecycle } from '../engines/engine.js';

export interface PoolEngine {
  id: string;
  lifecycle: Lifecycle;
  health: HealthStatus;
  /** Found by the first look at the runtime. */
  adopted: boolean;
  /** Streams and leases on it. */
  claims: number;
  /** Kept back, and not to be removed, or null. */
  held: CordonKind | null;
  /** Milliseconds without a claim; 0 while it has one. */
  idleMs: number;
  /** Milliseconds in its present health. */
  healthMs: number;
  /** Why it drains and the milliseconds until it must go, for one that does. */
  drain: { reason: string; deadlineMs: number } | null;
}

export interface PoolState {
  engines: readonly PoolEngine[];
  /** Engines there are and engines ordered: what MAX_REPLICAS bounds. */
  total: number;
  /** Engines ordered that do not run yet. */
  pending: number;
  /** Those of them that we ordered ourselves and whose start has not begun: they may still be called off. */
  revocable: number;
  /** Callers who wait for an engine. */
  waiting: number;
  /** The least number of engines that an operator ordered; 0 without an order. */
  floor: number;
  /** Free engines that were taken within the time an engine takes to come up. */
  taken: number;
  /** The highest target of the last while, within which the pool does not shrink. */
  recentPeak: number;
  /** Milliseconds until a start is worth trying again after failures; 0 when it is now. */
  startDelayMs: number;
}

export interface PoolLimits {
  minFree: number;
  max: number;
  /** How long a surplus engine stays idle before it is removed. */
  idleGraceMs: number;
}

export interface Departure {
  id: string;
  reason: string;
}

export interface ScalingDecision {
  /** How many engines there should be. */
  target: number;
  /** Free engines to be kept ready beyond the minimum, because the pool runs hot. */
  lookahead: number;
  /** How many to start now. */
  start: number;
  /** How many of those ordered to call off, because nobody needs them any more. */
  revoke: number;
  remove: Departure[];
  /** More callers wait than engines will come, because MAX_REPLICAS is reached. */
  limited: boolean;
  reasons: string[];
}

/**
 * How many engines there should be, and the next step to get there: as many as are in use, plus one for everybody who waits, plus the
 * free ones kept ready; at least the floor that was ordered, but never more than the maximum. Engines that play are never removed for
 * being too many; only idle ones past their grace, the longest idle first, and only what was too many for the whole last while: a pool
 * that shrinks after every viewer would start an engine for every next one.
 */
export function decideScaling(pool: PoolState, limits: PoolLimits): ScalingDecision {
  const reasons: string[] = [];
  const { free, coming } = countEngines(pool);
  const leaving = drainedOut(pool.engines);
  const staying = pool.total - leaving.length;
  const lookahead = lookaheadOf(pool, limits);
  const wantedFree = limits.minFree + lookahead + pool.waiting;
  const occupied = staying - free.length - coming;
  const target = Math.min(limits.max, Math.max(occupied + wantedFree, pool.floor));
  const belowFloor = pool.floor - staying;
  const missing = Math.max(0, wantedFree - free.length - coming, belowFloor);
  const room = Math.max(0, limits.max - pool.total);
  const affordable = Math.min(missing, room);
  const start = pool.startDelayMs > 0 ? 0 : affordable;
  const spare = Math.min(free.length + coming - wantedFree, staying - target);
  const revoke = Math.max(0, Math.min(pool.revocable, spare));

  if (start > 0) {
    const why = [`${pool.waiting} waiting and ${limits.minFree + lookahead} wanted free, ${free.length} free and ${coming} coming`];
    if (belowFloor > 0) why.push(`${staying} of the ${pool.floor} ordered by /scale`);
    reasons.push(`${start} to start: ${why.join('; ')}`);
  }
  if (lookahead > 0) reasons.push(`${lookahead} more wanted free: ${pool.taken} were taken while one comes up`);
  if (missing > room) reasons.push(`${missing - room} more wanted than MAX_REPLICAS=${limits.max} allows`);
  if (affordable > 0 && start === 0) reasons.push(`${affordable} wanted, but the last start failed: the next try comes after a pause`);
  if (revoke > 0) reasons.push(`${revoke} called off that nobody waits for any more`);

  // What is called off is one less already.
  const left = staying - revoke;
  // Of a maximum that was lowered: not even the free ones wanted are a reason to be above it.
  const aboveMax = Math.min(free.length, left - limits.max);
  const lasting = Math.max(target, Math.min(limits.max, pool.recentPeak));
  const tooMany = Math.max(0, aboveMax, Math.min(free.length - wantedFree, left - lasting));
  const remove = [...leaving, ...surplus(free, tooMany, limits)];
  for (const { id, reason } of remove) reasons.push(`${id}: ${reason}`);
  return { target, lookahead, start, revoke, remove, limited: pool.waiting > free.length + coming + room, reasons };
}

export interface EngineCounts {
  free: PoolEngine[];
  /** Will be free without our doing: starting, ordered, or kept back for a moment. */
  coming: number;
}

export function countEngines({ engines, pending }: Pick<PoolState, 'engines' | 'pending'>): EngineCounts {
  const usable = engines.filter(({ lifecycle, health }) => lifecycle === 'ready' && health !== 'unhealthy');
  const idle = usable.filter(({ claims }) => claims === 0);
  const starting = engines.filter(({ lifecycle }) => lifecycle === 'starting').length;
  return {
    free: idle.filter(({ held }) => held === null),
    coming: starting + pending + idle.filter(({ held }) => held === 'brief').length,
  };
}

/**
 * In the time an engine takes to come up as many are expected to be taken as were in the last such time. The minimum kept free bears
 * that many; beyond it the pool runs hot, and up to as many again are kept ready. Whoever keeps none free wants none in advance.
 */
function lookaheadOf({ taken }: PoolState, { minFree }: PoolLimits): number {
  return Math.min(minFree, Math.max(0, taken - minFree));
}

function drainedOut(engines: readonly PoolEngine[]): Departure[] {
  const leaving: Departure[] = [];
  for (const { id, lifecycle, claims, held, drain } of engines) {
    if (lifecycle !== 'draining') continue;
    if (claims === 0 && held === null) leaving.push({ id, reason: 'drained, nothing plays on it' });
    else if (drain !== null && drain.deadlineMs <= 0) leaving.push({ id, reason: 'its deadline to drain is over' });
  }
  return leaving;
}

function surplus(free: readonly PoolEngine[], count: number, { idleGraceMs }: PoolLimits): Departure[] {
  return free
    .filter((engine) => engine.idleMs >= idleGraceMs)
    .sort((a, b) => b.idleMs - a.idleMs || (a.id < b.id ? -1 : 1))
    .slice(0, count)
    .map(({ id, idleMs }) => ({ id, reason: `surplus, idle for ${Math.round(idleMs / 1000)} s` }));
}
