/**
 * How far the media that a source has sent lately is ahead of real time: players can play that long without new bytes. Older leads do not count,
 * because viewers that joined since then do not have them.
 */

/** A lead counts for one to two windows: up to 30 s. */
const WINDOW_MS = 15_000;
/** Some sources have a wrong clock: whatever it says, a silence is a stall in the end. */
const MAX_LEAD_MS = 30_000;

export class MediaLead {
  private windowStart: number;
  /** The lowest value of media time minus real time, in this window and the one before. */
  private lowest: number;
  private lowestBefore: number;
  private latest: number;

  constructor(
    now: number,
    private mediaMs: number,
  ) {
    this.windowStart = now;
    this.latest = this.lowest = this.lowestBefore = mediaMs - now;
  }

  /** Media arrived: `mediaMs` in all. */
  observe(now: number, mediaMs: number): void {
    if (now - this.windowStart >= WINDOW_MS) {
      this.lowestBefore = this.lowest;
      this.lowest = Infinity;
      this.windowStart = now;
    }
    // Just before these bytes the lead was lower than ever since the last ones.
    this.lowest = Math.min(this.lowest, this.mediaMs - now);
    this.mediaMs = mediaMs;
    this.latest = mediaMs - now;
  }

  get ms(): number {
    return Math.min(MAX_LEAD_MS, this.latest - Math.min(this.lowest, this.lowestBefore));
  }
}
