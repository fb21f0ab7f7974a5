/**
 * A token bucket over all calls of a client: a call earns a fraction of a retry, a retry costs one. However many callers there are, an
 * orchestrator that is down sees at most that fraction on top of the calls, after a first burst.
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

  /** Takes one retry out, or says that there is none. */
  take(): boolean {
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
