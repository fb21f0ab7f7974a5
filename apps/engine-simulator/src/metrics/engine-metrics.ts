/** What tests assert on: every session, reader, stop and request that this engine has seen. */

const SESSION_COUNTS = ['opened', 'restarted', 'active', 'stopped', 'expired', 'superseded', 'lost'] as const;
type SessionCount = (typeof SESSION_COUNTS)[number];

/** Sessions of one content; `maxActive` is the largest number at a time. */
export type ContentMetrics = Record<SessionCount | 'maxActive', number>;

export interface RequestRecord {
  route: string;
  method: string;
  url: string;
  /** Unix ms. */
  at: number;
  remote: string;
}

export type EndReason = 'stopped' | 'expired' | 'superseded' | 'lost';

/** Requests kept with their times; the counts include older ones. */
const MAX_RECORDS = 5000;

export class EngineMetrics {
  readonly contents = new Map<string, ContentMetrics>();
  readonly routes = new Map<string, number>();
  readonly requests: RequestRecord[] = [];
  /** The largest number of readers that one session had at a time. */
  maxReadersPerSession = 0;
  readersOpened = 0;
  readersOpen = 0;
  corruptReplies = 0;
  stops = 0;
  stopsOfUnknownSessions = 0;
  bytesSent = 0;
  requestsWhileHung = 0;
  starts = 0;
  startsRefused = 0;

  ofContent(infohash: string): ContentMetrics {
    let metrics = this.contents.get(infohash);
    if (!metrics) {
      metrics = { opened: 0, restarted: 0, active: 0, maxActive: 0, stopped: 0, expired: 0, superseded: 0, lost: 0 };
      this.contents.set(infohash, metrics);
    }
    return metrics;
  }

  sessionOpened(infohash: string): void {
    const metrics = this.ofContent(infohash);
    metrics.opened += 1;
    metrics.active += 1;
    metrics.maxActive = Math.max(metrics.maxActive, metrics.active);
  }

  sessionEnded(infohash: string, reason: EndReason): void {
    const metrics = this.ofContent(infohash);
    metrics.active -= 1;
    metrics[reason] += 1;
  }

  readerOpened(readersOfSession: number): void {
    this.readersOpened += 1;
    this.readersOpen += 1;
    this.maxReadersPerSession = Math.max(this.maxReadersPerSession, readersOfSession);
  }

  request(record: RequestRecord): void {
    this.routes.set(record.route, (this.routes.get(record.route) ?? 0) + 1);
    this.requests.push(record);
    if (this.requests.length > MAX_RECORDS) this.requests.splice(0, MAX_RECORDS / 10);
  }

  snapshot() {
    const total = (count: SessionCount) => [...this.contents.values()].reduce((sum, metrics) => sum + metrics[count], 0);
    return {
      sessions: Object.fromEntries(SESSION_COUNTS.map((count) => [count, total(count)])),
      contents: Object.fromEntries(this.contents),
      readers: { opened: this.readersOpened, open: this.readersOpen, maxPerSession: this.maxReadersPerSession },
      starts: this.starts,
      startsRefused: this.startsRefused,
      stops: this.stops,
      stopsOfUnknownSessions: this.stopsOfUnknownSessions,
      corruptReplies: this.corruptReplies,
      bytesSent: this.bytesSent,
      requestsWhileHung: this.requestsWhileHung,
      routes: Object.fromEntries(this.routes),
    };
  }
}
