/**
 * Token bucket shared by all calls of a client: a call adds a fraction of a token, a retry takes one. So after a first burst, an unreachable
 * orchestrator gets at most that fraction of additional requests.
 */
export class RetryBudget {
  private tokens: number;

  constructor(
    private readonly perCall = 0.2,
    private readonly burst = 5,
  ) {
    this.tokens = burst;
  }

  earn(): void {
    this.tokens = Math.min(this.burst, this.tokens + this.perCall);
  }

  /** Takes a token for one retry. Returns false when there is none. */
  take(): boolean {
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
