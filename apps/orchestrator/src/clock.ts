/** Time as the service sees it, injected so that tests own it. */
export abstract class Clock {
  /** Milliseconds since the epoch; for what is shown and stored. */
  abstract now(): number;
  /** Milliseconds on a clock that never goes back; for limits and ages. */
  abstract monotonic(): number;
}

export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }
}
