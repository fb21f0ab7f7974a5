/**
 * How long a silence in mid-stream may last. Engines deliver in pieces, so gaps of 1 to 4 s are healthy at low bitrates: the limit follows the
 * longest gap of the last minute or two, between bounds.
 */
const LEAST_MS = 5000;
const MOST_MS = 10_000;
/** A gap this many times the longest one seen is no gap. */
const FACTOR = 2.5;
const WINDOW_MS = 60_000;

export class StallPolicy {
  private lastByteAt: number;
  private windowStart: number;
  private longest = 0;
  private longestBefore = 0;

  /** @param fixedMs a limit by setting, instead of the adaptive one */
  constructor(
    private readonly fixedMs: number | undefined,
    now: number,
  ) {
    this.lastByteAt = now;
    this.windowStart = now;
  }

  /** Bytes came. */
  observe(now: number): void {
    if (now - this.windowStart >= WINDOW_MS) {
      this.longestBefore = this.longest;
      this.longest = 0;
      this.windowStart = now;
    }
    this.longest = Math.max(this.longest, now - this.lastByteAt);
    this.lastByteAt = now;
  }

  get limitMs(): number {
    if (this.fixedMs !== undefined) return this.fixedMs;
    return Math.min(MOST_MS, Math.max(LEAST_MS, FACTOR * Math.max(this.longest, this.longestBefore)));
  }

  /** Milliseconds until the silence is a stall; 0 or less: it is one. */
  remaining(now: number): number {
    return this.lastByteAt + this.limitMs - now;
  }
}
