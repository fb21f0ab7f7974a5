import type { HealthStatus } from '@acexy/contracts';
import type { HoldKind } from '../engines/engine-claims.js';
import type { Lifecycle } from '../engines/engine-registry.js';

export interface PoolEngine {
  id: string;
  lifecycle: Lifecycle;
  health: HealthStatus;
  /** Streams and leases on it. */
  claims: number;
  /** Kept back, and not to be removed, or null. */
  held: HoldKind | null;
  /** Milliseconds without a claim; 0 while it has one. */
  idleMs: number;
  /** Milliseconds in its present health. */
  healthMs: number;
  /** Milliseconds until it must go, for one that drains. */
  deadlineMs: number | null;
}

export interface PoolState {
  engines: readonly PoolEngine[];
  /** Engines there are and engines ordered: what MAX_REPLICAS bounds. */
  total: number;
  /** Engines ordered that do not run yet. */
  pending: number;
  /** Callers who wait for an engine. */
  waiting: number;
  /** Milliseconds until a start is worth trying again after failures; 0 when it is now. */
  startDelayMs: number;
}

export interface PoolLimits {
  minFree: number;
  max: number;
  /** How long a surplus engine stays idle before it is removed. */
  idleGraceMs: number;
  /** How long an engine stays unhealthy before it is drained. */
  unhealthyGraceMs: number;
}

export interface ScalingDecision {
  /** How many engines there should be. */
  target: number;
  /** How many to start now. */
  start: number;
  drain: { id: string; reason: string }[];
  remove: { id: string; reason: string }[];
  /** More callers wait than engines will come, because MAX_REPLICAS is reached. */
  limited: boolean;
  reasons: string[];
}

/**
 * How many engines there should be, and the next step to get there: as many as are in use, plus one for everybody who waits, plus the
 * free ones kept ready, but never more than the maximum. Engines that play are never removed for being too many; only idle ones past
 * their grace, the longest idle first.
 */
export function decideScaling(pool: PoolState, limits: PoolLimits): ScalingDecision {
  const reasons: string[] = [];
  const usable = pool.engines.filter((engine) => engine.lifecycle === 'ready' && engine.health !== 'unhealthy');
  const idle = usable.filter((engine) => engine.claims === 0);
  const free = idle.filter((engine) => engine.held === null);
  const soonFree = idle.filter((engine) => engine.held === 'brief').length;
  const starting = pool.engines.filter((engine) => engine.lifecycle === 'starting').length;
  const wantedFree = limits.minFree + pool.waiting;
  const coming = starting + soonFree + pool.pending;
  const occupied = pool.total - free.length - coming;
  const target = Math.min(limits.max, occupied + wantedFree);
  const missing = Math.max(0, wantedFree - free.length - coming);
  const room = Math.max(0, limits.max - pool.total);
  const affordable = Math.min(missing, room);
  const start = pool.startDelayMs > 0 ? 0 : affordable;

  if (start > 0)
    reasons.push(`${start} to start: ${pool.waiting} waiting and ${limits.minFree} wanted free, ${free.length} free and ${coming} coming`);
  if (missing > room) reasons.push(`${missing - room} more wanted than MAX_REPLICAS=${limits.max} allows`);
  if (affordable > 0 && start === 0)
    reasons.push(`${affordable} wanted, next try in ${pool.startDelayMs} ms because the last start failed`);

  const drain = pool.engines
    .filter((engine) => engine.lifecycle === 'ready' && engine.health === 'unhealthy' && engine.healthMs >= limits.unhealthyGraceMs)
    .map(({ id }) => ({ id, reason: 'unhealthy' }));
  const remove = [...drainedOut(pool.engines), ...surplus(free, wantedFree, limits.idleGraceMs)];
  for (const { id, reason } of [...drain, ...remove]) reasons.push(`${id}: ${reason}`);
  return { target, start, drain, remove, limited: pool.waiting > free.length + coming + room, reasons };
}

function drainedOut(engines: readonly PoolEngine[]): ScalingDecision['remove'] {
  const leaving: ScalingDecision['remove'] = [];
  for (const { id, lifecycle, claims, held, deadlineMs } of engines) {
    if (lifecycle !== 'draining') continue;
    if (claims === 0 && held === null) leaving.push({ id, reason: 'drained, nothing plays on it' });
    else if (deadlineMs !== null && deadlineMs <= 0) leaving.push({ id, reason: 'its deadline to drain is over' });
  }
  return leaving;
}

function surplus(free: readonly PoolEngine[], wantedFree: number, graceMs: number): ScalingDecision['remove'] {
  return free
    .filter((engine) => engine.idleMs >= graceMs)
    .sort((a, b) => b.idleMs - a.idleMs || (a.id < b.id ? -1 : 1))
    .slice(0, Math.max(0, free.length - wantedFree))
    .map(({ id, idleMs }) => ({ id, reason: `surplus, idle for ${Math.round(idleMs / 1000)} s` }));
}
