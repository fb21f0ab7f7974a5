/**
 * How long a silence in mid-stream may last. Engines deliver in pieces: gaps of 1 to 4 s are normal, and of up to 12 s at low bitrates. So the limit
 * follows the longest gap of the last minutes, within bounds.
 */
const BOUNDS_MS = { min: 5000, max: 10_000 };
/** Below this bitrate (bits per second) a piece lasts longer, so the bounds are wider. */
const LOW_BITRATE = 1_500_000;
const WIDE_BOUNDS_MS = { min: 10_000, max: 15_000 };
/** The upper bound is wide, too, when the longest gap times this exceeds the normal one. */
const LONG_GAP_FACTOR = 1.5;
/** A silence is a stall when it is this many times as long as the longest gap. */
const STALL_FACTOR = 2.5;
/** The longest gap is remembered for one to two windows: up to five minutes. */
const WINDOW_MS = 150_000;
/** The part of the limit after which a standby engine is leased. */
const QUIET_PART = 0.5;

export class StallPolicy {
  private lastByteAt: number;
  private windowStart: number;
  private longest = 0;
  private longestBefore = 0;

  /** @param fixedMs the limit from the settings; undefined: adaptive */
  constructor(
    private readonly fixedMs: number | undefined,
    now: number,
  ) {
    this.lastByteAt = now;
    this.windowStart = now;
  }

  /** Bytes arrived. */
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
    const { min } = low ? WIDE_BOUNDS_MS : BOUNDS_MS;
    const { max } = low || longest * LONG_GAP_FACTOR > BOUNDS_MS.max ? WIDE_BOUNDS_MS : BOUNDS_MS;
    return Math.min(max, Math.max(min, STALL_FACTOR * longest));
  }

  /** Milliseconds until the silence is a stall; 0 or less: it is one. */
  remaining(now: number, bitrate: number | null): number {
    return this.lastByteAt + this.limitMs(bitrate) - now;
  }

  /** Milliseconds until a standby engine should be leased; 0 or less: now. */
  untilQuiet(now: number, bitrate: number | null): number {
    return this.lastByteAt + QUIET_PART * this.limitMs(bitrate) - now;
  }
}
