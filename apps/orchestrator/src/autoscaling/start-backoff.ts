import { backoffMs, withJitter } from '@acexy/service-kit/primitives';

const LIMITS = { firstMs: 1000, longestMs: 30_000 };

/** Delays starts after failures in a row. */
export class StartBackoff {
  private failures = 0;
  private notBefore = 0;

  constructor(private readonly random?: () => number) {}

  failed(nowMs: number): void {
    // Engines requested together fail together: that is one failure.
    if (nowMs < this.notBefore) return;
    this.failures++;
    this.notBefore = nowMs + withJitter(backoffMs(this.failures, LIMITS), this.random);
  }

  clear(): void {
    this.failures = 0;
    this.notBefore = 0;
  }

  /** Milliseconds until the next start; 0: now. */
  delayMs(nowMs: number): number {
    return Math.max(0, Math.ceil(this.notBefore - nowMs));
  }
}
