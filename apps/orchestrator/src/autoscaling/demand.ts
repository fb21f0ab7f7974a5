/** What the recent past says of the near future: how fast engines are taken, how long one takes to come up, how many were wanted. */
import type { PoolEngine } from './scaling.policy.js';

/** Before anything is known: engines take 5 to 15 s from their start to an answer (engine-contract.md). */
const FIRST_LEAD_MS = 10_000;
const SHORTEST_LEAD_MS = 1_000;
const LONGEST_LEAD_MS = 60_000;
/** Weight of the newest one. */
const LEAD_WEIGHT = 0.3;

/** How long an engine takes from its start until it answers, smoothed. */
export class LeadTime {
  private meanMs = FIRST_LEAD_MS;

  learn(ms: number): void {
    const bounded = Math.min(LONGEST_LEAD_MS, Math.max(SHORTEST_LEAD_MS, ms));
    this.meanMs += LEAD_WEIGHT * (bounded - this.meanMs);
  }

  get ms(): number {
    return this.meanMs;
  }
}

/** When free engines were taken, as far as one look after the other tells. */
export class TakenEngines {
  /** Whether each engine of the last look could have been taken. */
  private takeable: Map<string, boolean> | null = null;
  private times: number[] = [];

  observe(engines: readonly Pick<PoolEngine, 'id' | 'claims' | 'held' | 'adopted'>[], nowMs: number): void {
    const before = this.takeable;
    this.takeable = new Map(engines.map(({ id, claims, held }) => [id, claims === 0 && held === null]));
    if (before === null) return;
    // Found again after a restart and in use is no new demand; a new one that has a claim at first sight is.
    for (const { id, claims, adopted } of engines) if (claims > 0 && (before.get(id) ?? !adopted)) this.times.push(nowMs);
    const kept = this.times.filter((at) => at > nowMs - LONGEST_LEAD_MS);
    if (kept.length < this.times.length) this.times = kept;
  }

  within(ms: number, nowMs: number): number {
    return this.times.filter((at) => at > nowMs - ms).length;
  }
}

/** The targets of the last while; each holds until the next one. */
export class RecentTargets {
  /** Falling targets, each with the moment until which it held. */
  private readonly held: { target: number; until: number }[] = [];

  note(target: number, nowMs: number): void {
    const last = this.held.at(-1);
    if (last) last.until = nowMs;
    while (this.held.length > 0 && this.held[this.held.length - 1].target <= target) this.held.pop();
    this.held.push({ target, until: nowMs });
  }

  /** The highest within the window up to now, the present one included; 0 before the first. */
  highest(windowMs: number, nowMs: number): number {
    this.forget(windowMs, nowMs);
    return this.held[0]?.target ?? 0;
  }

  /** Milliseconds until the highest is forgotten; null where it is the present one. */
  fallsInMs(windowMs: number, nowMs: number): number | null {
    this.forget(windowMs, nowMs);
    return this.held.length < 2 ? null : this.held[0].until + windowMs - nowMs;
  }

  private forget(windowMs: number, nowMs: number): void {
    while (this.held.length > 1 && this.held[0].until + windowMs <= nowMs) this.held.shift();
  }
}
