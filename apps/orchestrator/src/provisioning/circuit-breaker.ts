/**
 * Stops what keeps failing: after `threshold` failures in a row nothing is let through for `timeoutMs`, then one trial at a time
 * until one succeeds. Pure: the caller brings the time, in milliseconds of a clock that never goes back.
 */
import type { CircuitState } from '@acexy/contracts';

export interface CircuitBreakerSettings {
  threshold: number;
  timeoutMs: number;
}

export interface CircuitReport {
  state: CircuitState;
  /** In a row. */
  failures: number;
  threshold: number;
  /** How long nothing is let through once it has opened. */
  timeoutSeconds: number;
  /** Until a trial is let through; 0 while closed or half open. */
  retryInSeconds: number;
}

/**
 * The leave to try once. Its outcome is told to the breaker exactly once: `succeed`, `fail`, or `abandon` where nothing was learnt.
 * A permit that was given before the breaker opened says nothing about the time after: its outcome is then ignored.
 */
export interface CircuitPermit {
  readonly era: number;
  readonly trial: boolean;
}

export class CircuitBreaker {
  private failuresInARow = 0;
  private openedAt: number | null = null;
  private trial: CircuitPermit | null = null;
  private trialSince = -Infinity;
  /** Grows with every opening, trial and closing. */
  private era = 0;

  constructor(private readonly settings: CircuitBreakerSettings) {}

  state(nowMs: number): CircuitState {
    if (this.openedAt === null) return 'closed';
    return nowMs - this.openedAt >= this.settings.timeoutMs ? 'half_open' : 'open';
  }

  get failures(): number {
    return this.failuresInARow;
  }

  get threshold(): number {
    return this.settings.threshold;
  }

  /** Milliseconds until a trial is let through; 0 when closed, and when half open. */
  retryInMs(nowMs: number): number {
    if (this.openedAt === null) return 0;
    return Math.max(0, this.openedAt + this.settings.timeoutMs - nowMs);
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

  /** Whether `acquire` would give a permit. */
  permits(nowMs: number): boolean {
    const state = this.state(nowMs);
    // A trial whose outcome nobody has told for that long is given up, or a lost one would hold the breaker for ever.
    const trialRuns = this.trial !== null && nowMs - this.trialSince < this.settings.timeoutMs;
    return state === 'closed' || (state === 'half_open' && !trialRuns);
  }

  acquire(nowMs: number): CircuitPermit | null {
    if (!this.permits(nowMs)) return null;
    if (this.openedAt === null) return { era: this.era, trial: false };
    this.era += 1;
    this.trialSince = nowMs;
    return (this.trial = { era: this.era, trial: true });
  }

  succeed(permit: CircuitPermit): void {
    if (!this.settle(permit)) return;
    this.failuresInARow = 0;
    if (this.openedAt === null) return;
    this.openedAt = null;
    this.trial = null;
    this.era += 1;
  }

  /** True when this failure opened the breaker. */
  fail(permit: CircuitPermit, nowMs: number): boolean {
    if (!this.settle(permit)) return false;
    this.failuresInARow += 1;
    if (!permit.trial && this.failuresInARow < this.settings.threshold) return false;
    this.openedAt = nowMs;
    this.trial = null;
    this.era += 1;
    return true;
  }

  abandon(permit: CircuitPermit): void {
    this.settle(permit);
  }

  /** Closed as if nothing had ever failed; what is still under way says nothing any more. */
  reset(): void {
    this.failuresInARow = 0;
    this.openedAt = null;
    this.trial = null;
    this.era += 1;
  }

  /** False for a permit of an earlier era. */
  private settle(permit: CircuitPermit): boolean {
    if (permit.era !== this.era) return false;
    if (this.trial === permit) this.trial = null;
    return true;
  }
}
