/**
 * How long a silence in mid-stream may last. Engines deliver in pieces: gaps of 1 to 4 s are normal, and of up to 12 s at low bitrates. So the limit
 * follows the longest gap of the last minutes, within bounds. An engine that has just delivered much at once may be silent until that has been played.
 */
import { MediaLead } from './media-lead.js';

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
/** A silence is a stall this long after the media that came ahead has been played: it covers the jitter of the next piece. */
const AFTER_LEAD_MS = 2500;
/** The part of the limit after which a standby engine is leased. */
const QUIET_PART = 0.5;

/** What is known about the stream that the source feeds. */
export interface SuppliedStream {
  /** Bits per second; null while unknown. */
  readonly bitrate: number | null;
  /** Milliseconds of media received so far. */
  readonly mediaMs: number;
  /** Milliseconds of media in the ring buffer: more of it cannot wait for any viewer. */
  readonly bufferedMs: number;
}

export class StallPolicy {
  private lastByteAt: number;
  private windowStart: number;
  private longest = 0;
  private longestBefore = 0;
  private readonly lead: MediaLead;

  /** @param fixedMs the limit from the settings; undefined: adaptive */
  constructor(
    private readonly fixedMs: number | undefined,
    now: number,
    mediaMs: number,
  ) {
    this.lastByteAt = now;
    this.windowStart = now;
    this.lead = new MediaLead(now, mediaMs);
  }

  /** Bytes arrived; `mediaMs` of media have been received with them. */
  observe(now: number, mediaMs: number): void {
    if (now - this.windowStart >= WINDOW_MS) {
      this.longestBefore = this.longest;
      this.longest = 0;
      this.windowStart = now;
    }
    this.longest = Math.max(this.longest, now - this.lastByteAt);
    this.lastByteAt = now;
    this.lead.observe(now, mediaMs);
  }

  limitMs({ bitrate, bufferedMs }: SuppliedStream): number {
    if (this.fixedMs !== undefined) return this.fixedMs;
    const longest = Math.max(this.longest, this.longestBefore);
    const low = bitrate !== null && bitrate < LOW_BITRATE;
    const { min } = low ? WIDE_BOUNDS_MS : BOUNDS_MS;
    const { max } = low || longest * LONG_GAP_FACTOR > BOUNDS_MS.max ? WIDE_BOUNDS_MS : BOUNDS_MS;
    const limit = Math.min(max, Math.max(min, STALL_FACTOR * longest));
    return Math.max(limit, Math.min(this.lead.ms, bufferedMs) + AFTER_LEAD_MS);
  }

  /** Milliseconds until the silence is a stall; 0 or less: it is one. */
  remaining(now: number, stream: SuppliedStream): number {
    return this.lastByteAt + this.limitMs(stream) - now;
  }

  /** Milliseconds until a standby engine should be leased; 0 or less: now. */
  untilQuiet(now: number, stream: SuppliedStream): number {
    return this.lastByteAt + QUIET_PART * this.limitMs(stream) - now;
  }
}
