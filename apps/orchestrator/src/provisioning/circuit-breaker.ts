/**
 * Stops repeated failures. After `threshold` failures in a row it is open and permits nothing for `timeoutMs`. Then it is half open and permits
 * one trial at a time, until a trial succeeds. Attempts that were in flight when one of them failed count as one failure: they have the same
 * cause. Pure: the caller passes the time, in monotonic milliseconds.
 */
import type { CircuitState } from '@acexy/contracts';
import { backoffMs } from '@acexy/service-kit/primitives';

/** Delay of the first trial while it is urgent; each further delay is twice as long. */
const FIRST_URGENT_TRIAL_MS = 5000;

export interface CircuitBreakerSettings {
  threshold: number;
  timeoutMs: number;
  /** Whether nothing works without a success. Then trials come after 5, 10, 20 s and so on, up to `timeoutMs`. */
  isUrgent: () => boolean;
}

export interface CircuitReport {
  state: CircuitState;
  /** Failures in a row. */
  failures: number;
  threshold: number;
  timeoutSeconds: number;
  /** Seconds until a trial is permitted; 0 while closed or half open. */
  retryInSeconds: number;
}

/**
 * Permission for one attempt. The caller reports its outcome exactly once: `succeed`, `fail`, or `abandon` when nothing was learned.
 * The outcome counts only in the generation of the permit: an attempt that began before the breaker opened does not show whether starts work now.
 */
export interface CircuitPermit {
  readonly generation: number;
  /** Grows with every permit. */
  readonly number: number;
  readonly trial: boolean;
}

export class CircuitBreaker {
  private failuresInARow = 0;
  private openedAt: number | null = null;
  /** How often it opened since it was last closed. */
  private openings = 0;
  /** Number of the last permit. */
  private permitted = 0;
  /** Number of the last permit at the last failure that counted: permits up to here were in flight or have ended. */
  private countedUpTo = 0;
  private trial: CircuitPermit | null = null;
  private trialSince = -Infinity;
  /** Grows when the breaker opens, closes or starts a trial. */
  private generation = 0;

  constructor(private readonly settings: CircuitBreakerSettings) {}

  state(nowMs: number): CircuitState {
    if (this.openedAt === null) return 'closed';
    return this.retryInMs(nowMs) === 0 ? 'half_open' : 'open';
  }

  /** Milliseconds until a trial is permitted; 0 while closed or half open. */
  retryInMs(nowMs: number): number {
    if (this.openedAt === null) return 0;
    const { timeoutMs, isUrgent } = this.settings;
    const openMs = isUrgent() ? backoffMs(this.openings, { firstMs: FIRST_URGENT_TRIAL_MS, longestMs: timeoutMs }) : timeoutMs;
    return Math.max(0, this.openedAt + openMs - nowMs);
  }

  report(nowMs: number): CircuitReport {
    return {
      state: this.state(nowMs),
      failures: this.failuresInARow,
      threshold: this.settings.threshold,
      timeoutSeconds: this.settings.timeoutMs / 1000,
      retryInSeconds: Math.ceil(this.retryInMs(nowMs) / 1000),
    };
  }

  /** Whether `acquire` would return a permit. */
  permits(nowMs: number): boolean {
    const state = this.state(nowMs);
    // A trial without an outcome expires, or a lost one would keep the breaker half open forever.
    const trialRuns = this.trial !== null && nowMs - this.trialSince < this.settings.timeoutMs;
    return state === 'closed' || (state === 'half_open' && !trialRuns);
  }

  acquire(nowMs: number): CircuitPermit | null {
    if (!this.permits(nowMs)) return null;
    const number = ++this.permitted;
    if (this.openedAt === null) return { generation: this.generation, number, trial: false };
    this.generation += 1;
    this.trialSince = nowMs;
    return (this.trial = { generation: this.generation, number, trial: true });
  }

  succeed(permit: CircuitPermit): void {
    if (!this.settle(permit)) return;
    if (permit.trial) this.reset();
    else this.failuresInARow = 0;
  }

  /** @returns whether this failure opened the breaker: it reached the threshold, or the trial failed */
  fail(permit: CircuitPermit, nowMs: number): boolean {
    if (!this.settle(permit) || permit.number <= this.countedUpTo) return false;
    this.countedUpTo = this.permitted;
    this.failuresInARow += 1;
    // The count stays at or above the threshold until a trial succeeds, so a failed trial opens the breaker again.
    if (this.failuresInARow < this.settings.threshold) return false;
    this.openedAt = nowMs;
    this.openings += 1;
    this.generation += 1;
    return true;
  }

  abandon(permit: CircuitPermit): void {
    this.settle(permit);
  }

  /** Closes the breaker; outcomes of current attempts are then ignored. */
  reset(): void {
    this.failuresInARow = 0;
    this.openedAt = null;
    this.openings = 0;
    this.trial = null;
    this.generation += 1;
  }

  /** @returns false for a permit of an earlier generation */
  private settle(permit: CircuitPermit): boolean {
    if (permit.generation !== this.generation) return false;
    this.trial = null;
    return true;
  }
}
