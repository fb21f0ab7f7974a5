/**
 * How long a silence in mid-stream may last. Engines deliver in pieces, so gaps of 1 to 4 s are healthy, and of up to 12 s at low bitrates: the limit
 * follows the longest gap of the last minutes, between bounds.
 */
const LEAST_MS = 5000;
const MOST_MS = 10_000;
/** Below this rate (bits per second) a piece lasts longer … */
const LOW_BITRATE = 1_500_000;
/** … and where long gaps have been seen, so may the next one: then these are the bounds. */
const PATIENT_LEAST_MS = 10_000;
const PATIENT_MOST_MS = 15_000;
const LONG_GAP_FACTOR = 1.5;
/** A gap this many times the longest one seen is no gap. */
const FACTOR = 2.5;
/** The longest gap is remembered for one to two of these: up to five minutes. */
const WINDOW_MS = 150_000;
/** The part of the limit after which another engine is made ready. */
const QUIET_PART = 0.5;

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

  /** @param bitrate of the stream in bits per second; null while unknown */
  limitMs(bitrate: number | null): number {
    if (this.fixedMs !== undefined) return this.fixedMs;
    const longest = Math.max(this.longest, this.longestBefore);
    const low = bitrate !== null && bitrate < LOW_BITRATE;
    const least = low ? PATIENT_LEAST_MS : LEAST_MS;
    const most = low || longest * LONG_GAP_FACTOR > MOST_MS ? PATIENT_MOST_MS : MOST_MS;
    return Math.min(most, Math.max(least, FACTOR * longest));
  }

  /** Milliseconds until the silence is a stall; 0 or less: it is one. */
  remaining(now: number, bitrate: number | null): number {
    return this.lastByteAt + this.limitMs(bitrate) - now;
  }

  /** Milliseconds until the silence is worth getting ready for; 0 or less: it is. */
  untilQuiet(now: number, bitrate: number | null): number {
    return this.lastByteAt + QUIET_PART * this.limitMs(bitrate) - now;
  }
}
