import type { Log } from '../logging/log.js';

/** At most one log line in this time, however many connections are refused. */
const LOG_INTERVAL_MS = 60_000;

/** Logs that connections are refused because the limit is reached. */
export class RefusedConnections {
  private refused = 0;
  private loggedAt = -Infinity;

  constructor(
    private readonly limit: number,
    private readonly log: Log,
  ) {}

  add(): void {
    this.refused += 1;
    if (performance.now() - this.loggedAt < LOG_INTERVAL_MS) return;
    this.loggedAt = performance.now();
    this.log.warn('connection limit reached', { limit: this.limit, refused: this.refused });
    this.refused = 0;
  }
}
