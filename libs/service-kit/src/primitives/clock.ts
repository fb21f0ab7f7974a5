/** Node runs a timer of more milliseconds after 1 ms. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Time as a program sees it, injected so that tests control it. */
export abstract class Clock {
  /** Monotonic milliseconds: never goes back. For limits and ages. */
  abstract now(): number;
  /** Milliseconds since the epoch. For what is shown, stored and sent. */
  abstract wallTime(): number;
  /** Milliseconds of other programs and of settings may be of any size: a wait of more than 24 days ends after 24 days. */
  abstract setTimeout(run: () => void, ms: number): unknown;
  abstract clearTimeout(handle: unknown): void;

  /** The current time in ISO 8601, UTC. */
  iso(): string {
    return new Date(this.wallTime()).toISOString();
  }
}

export class SystemClock extends Clock {
  now(): number {
    return performance.now();
  }

  wallTime(): number {
    return Date.now();
  }

  setTimeout(run: () => void, ms: number): NodeJS.Timeout {
    return setTimeout(run, Math.min(ms, MAX_TIMER_MS));
  }

  clearTimeout(handle: unknown): void {
    clearTimeout(handle as NodeJS.Timeout);
  }
}
