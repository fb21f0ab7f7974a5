const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;

/** How long to leave starting alone after failures in a row: twice as long each time, with jitter, up to half a minute. */
export class StartBackoff {
  private failures = 0;
  private notBefore = 0;

  constructor(private readonly random: () => number = Math.random) {}

  failed(nowMs: number): void {
    // Engines ordered together fail together: that is one failure.
    if (nowMs < this.notBefore) return;
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    this.failures++;
    this.notBefore = nowMs + delay * (0.5 + this.random() / 2);
  }

  succeeded(): void {
    this.failures = 0;
    this.notBefore = 0;
  }

  /** Milliseconds until a start is worth trying; 0 when it is now. */
  delayMs(nowMs: number): number {
    return Math.max(0, Math.ceil(this.notBefore - nowMs));
  }
}
