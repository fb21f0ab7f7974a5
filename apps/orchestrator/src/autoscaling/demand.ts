/** Recent demand, to estimate the next: how fast engines are taken, how long they need to start, and the highest recent target. */
import type { PoolEngine } from './scaling.policy.js';

/** Engines need 5 to 15 s from start to answer (measured with public engine images). */
const DEFAULT_STARTUP_MS = 10_000;
const MIN_STARTUP_MS = 1_000;
const MAX_STARTUP_MS = 60_000;
/** Weight of the newest start in the average. */
const NEWEST_WEIGHT = 0.3;

/** Moving average of the time from the start of an engine until its API answers. */
export class StartupTime {
  private averageMs = DEFAULT_STARTUP_MS;

  learn(ms: number): void {
    const bounded = Math.min(MAX_STARTUP_MS, Math.max(MIN_STARTUP_MS, ms));
    this.averageMs += NEWEST_WEIGHT * (bounded - this.averageMs);
  }

  get ms(): number {
    return this.averageMs;
  }
}

/** When free engines were taken, as seen by comparing consecutive observations. */
export class TakenEngines {
  /** By id: whether the engine was free at the last observation. */
  private wasFree: Map<string, boolean> | null = null;
  private times: number[] = [];

  observe(engines: readonly Pick<PoolEngine, 'id' | 'claims' | 'cordon' | 'adopted'>[], nowMs: number): void {
    const before = this.wasFree;
    this.wasFree = new Map(engines.map(({ id, claims, cordon }) => [id, claims === 0 && cordon === null]));
    if (before === null) return;
    // A new engine that has a claim when first seen was taken; an adopted one was in use before the restart.
    for (const { id, claims, adopted } of engines) if (claims > 0 && (before.get(id) ?? !adopted)) this.times.push(nowMs);
    this.times = this.times.filter((at) => at > nowMs - MAX_STARTUP_MS);
  }

  within(ms: number, nowMs: number): number {
    return this.times.filter((at) => at > nowMs - ms).length;
  }
}

/** The targets of the recent past. Each is in force until the next one. */
export class RecentTargets {
  /** Only targets that no later one exceeds, each with the time until which it was in force. */
  private readonly peaks: { target: number; until: number }[] = [];

  record(target: number, nowMs: number): void {
    const last = this.peaks.at(-1);
    if (last) last.until = nowMs;
    while (this.peaks.length > 0 && this.peaks[this.peaks.length - 1].target <= target) this.peaks.pop();
    this.peaks.push({ target, until: nowMs });
  }

  /** Highest target of the window, the current one included; 0 before the first. */
  highest(windowMs: number, nowMs: number): number {
    this.dropBefore(nowMs - windowMs);
    return this.peaks[0]?.target ?? 0;
  }

  /** Milliseconds until the highest target leaves the window; null when it is the current one. */
  fallsInMs(windowMs: number, nowMs: number): number | null {
    this.dropBefore(nowMs - windowMs);
    return this.peaks.length < 2 ? null : this.peaks[0].until + windowMs - nowMs;
  }

  private dropBefore(startMs: number): void {
    while (this.peaks.length > 1 && this.peaks[0].until <= startMs) this.peaks.shift();
  }
}
