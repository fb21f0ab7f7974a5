/** How many engines there should be, and which to start, revoke or remove now. Pure. */
import type { HealthStatus } from '@acexy/contracts';
import type { Lifecycle } from '../engines/engine.js';
import type { CordonKind } from '../leases/engine-claims.js';

export interface PoolEngine {
  id: string;
  lifecycle: Lifecycle;
  health: HealthStatus;
  /** Found running by the first sync. */
  adopted: boolean;
  /** Streams and leases on it. */
  claims: number;
  /** A cordoned engine is neither leased nor removed. */
  cordon: CordonKind | null;
  /** Milliseconds without a claim; 0 while it has one. */
  idleMs: number;
  /** Milliseconds since its health changed. */
  healthMs: number;
  drain: { reason: string; deadlineMs: number } | null;
}

export interface PoolState {
  engines: readonly PoolEngine[];
  /** Engines that exist, died and are not cleared yet, or are requested: what MAX_REPLICAS limits. */
  total: number;
  /** Engines requested that do not run yet. */
  pending: number;
  /** Those of them that the autoscaler requested and that still wait in the queue. */
  revocable: number;
  /** Lease requests that wait for an engine. None of the free engines suits them, or they would have it. */
  waiting: number;
  manualMinimum: number | null;
  /** Free engines that were taken during the last startup time of an engine. */
  taken: number;
  /** Highest target of the last grace period: the pool does not shrink below it. */
  recentPeak: number;
  /** Milliseconds until the next start after failures; 0: now. */
  startDelayMs: number;
}

export interface PoolLimits {
  minFree: number;
  max: number;
  /** How long a surplus engine stays idle before it is removed. */
  idleGraceMs: number;
}

/** An engine to remove or drain. */
export interface Removal {
  id: string;
  reason: string;
}

export interface ScalingDecision {
  target: number;
  /** Free engines kept in addition to the minimum, because demand is high. */
  lookahead: number;
  start: number;
  /** Queued starts to cancel. */
  revoke: number;
  remove: Removal[];
  /** MAX_REPLICAS is reached and not every waiting request will get an engine. */
  limited: boolean;
  reasons: string[];
}

/**
 * The target is: engines in use, plus one for each waiting request, plus the free engines to keep; at least the manual minimum, at most the
 * maximum. Only idle engines are removed as surplus: after their grace period, the longest idle first, and only below the recent peak. A pool
 * that shrinks after every viewer would start an engine for every next one.
 */
export function decideScaling(pool: PoolState, limits: PoolLimits): ScalingDecision {
  const { free, coming } = countEngines(pool);
  const drained = drainedEngines(pool.engines);
  // Engines that died count in the total until they are cleared, because they keep their ports. They serve nobody.
  const dead = Math.max(0, pool.total - pool.engines.length - pool.pending);
  const staying = pool.total - drained.length - dead;
  // The next startup time is expected to take as many engines as the last one. The minimum covers a part of them, the lookahead the rest, up to
  // the minimum again. With a minimum of 0 nothing is kept in advance.
  const lookahead = Math.min(limits.minFree, Math.max(0, pool.taken - limits.minFree));
  const neededFree = limits.minFree + lookahead + pool.waiting;
  const inUse = staying - free.length - coming;
  const manualMinimum = pool.manualMinimum ?? 0;
  const target = Math.min(limits.max, Math.max(inUse + neededFree, manualMinimum));
  const belowManual = manualMinimum - staying;
  const missing = Math.max(0, neededFree - free.length - coming, belowManual);
  const room = Math.max(0, limits.max - pool.total);
  const possible = Math.min(missing, room);
  const start = pool.startDelayMs > 0 ? 0 : possible;
  const revoke = Math.max(0, Math.min(pool.revocable, free.length + coming - neededFree, staying - target));

  const left = staying - revoke;
  // After the maximum was lowered, free engines are removed even when they are needed.
  const aboveMax = Math.min(free.length, left - limits.max);
  const peak = Math.max(target, Math.min(limits.max, pool.recentPeak));
  const surplus = Math.max(0, aboveMax, Math.min(free.length - neededFree, left - peak));
  const remove = [...drained, ...surplusEngines(free, surplus, limits)];

  const reasons: string[] = [];
  if (start > 0) {
    const manual = belowManual > 0 ? `; the manual minimum is ${manualMinimum}, and ${staying} engines exist` : '';
    const needed = `requests waiting: ${pool.waiting}, engines to keep free: ${limits.minFree + lookahead}`;
    reasons.push(`engines to start: ${start} (${needed}, free now: ${free.length}, free soon: ${coming}${manual})`);
  }
  if (lookahead > 0)
    reasons.push(`${lookahead} more engines kept free: ${pool.taken} were leased in the time that an engine needs to start`);
  if (missing > room) reasons.push(`${missing - room} more needed than the limit of ${limits.max} engines allows`);
  if (possible > 0 && start === 0) reasons.push(`${possible} needed, but the last start failed: the next start follows after a delay`);
  if (revoke > 0) reasons.push(`${revoke} queued starts cancelled: no longer needed`);
  for (const { id, reason } of remove) reasons.push(`${id}: ${reason}`);
  return { target, lookahead, start, revoke, remove, limited: pool.waiting > coming + room, reasons };
}

export interface EngineCounts {
  free: PoolEngine[];
  /** Engines that will become free: starting, requested, or cordoned for seconds. */
  coming: number;
}

export function countEngines({ engines, pending }: Pick<PoolState, 'engines' | 'pending'>): EngineCounts {
  const idle = engines.filter(({ lifecycle, health, claims }) => lifecycle === 'ready' && health !== 'unhealthy' && claims === 0);
  const starting = engines.filter(({ lifecycle }) => lifecycle === 'starting').length;
  return {
    free: idle.filter(({ cordon }) => cordon === null),
    coming: starting + pending + idle.filter(({ cordon }) => cordon === 'brief').length,
  };
}

function drainedEngines(engines: readonly PoolEngine[]): Removal[] {
  return engines.flatMap(({ id, lifecycle, claims, cordon, drain }) => {
    if (lifecycle !== 'draining') return [];
    if (claims === 0 && cordon === null) return [{ id, reason: 'drained, nothing plays on it' }];
    return drain !== null && drain.deadlineMs <= 0 ? [{ id, reason: 'drain deadline reached' }] : [];
  });
}

function surplusEngines(free: readonly PoolEngine[], count: number, { idleGraceMs }: PoolLimits): Removal[] {
  return free
    .filter(({ idleMs }) => idleMs >= idleGraceMs)
    .sort((a, b) => b.idleMs - a.idleMs || (a.id < b.id ? -1 : 1))
    .slice(0, count)
    .map(({ id, idleMs }) => ({ id, reason: `surplus, idle for ${Math.round(idleMs / 1000)} s` }));
}
