/** What tests assert on: every session, reader, stop and request this engine has seen. */

export interface ContentCounters {
  opened: number;
  restarted: number;
  active: number;
  maxActive: number;
  stopped: number;
  expired: number;
  superseded: number;
  lost: number;
}

export interface RequestRecord {
  route: string;
  method: string;
  url: string;
  /** Unix ms. */
  at: number;
  remote: string;
}

export type SessionEnd = 'stopped' | 'expired' | 'superseded' | 'lost';

/** Requests kept with their times; the counts go on beyond. */
const MAX_RECORDS = 5000;

export class Counters {
  readonly contents = new Map<string, ContentCounters>();
  readonly routes = new Map<string, number>();
  readonly requests: RequestRecord[] = [];
  /** Most readers that one session ever had at a time. */
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

  ofContent(infohash: string): ContentCounters {
    let counters = this.contents.get(infohash);
    if (!counters) {
      counters = { opened: 0, restarted: 0, active: 0, maxActive: 0, stopped: 0, expired: 0, superseded: 0, lost: 0 };
      this.contents.set(infohash, counters);
    }
    return counters;
  }

  sessionOpened(infohash: string): void {
    const counters = this.ofContent(infohash);
    counters.opened += 1;
    counters.active += 1;
    counters.maxActive = Math.max(counters.maxActive, counters.active);
  }

  sessionEnded(infohash: string, how: SessionEnd): void {
    const counters = this.ofContent(infohash);
    counters.active -= 1;
    counters[how] += 1;
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
    const sum = (field: keyof ContentCounters) => [...this.contents.values()].reduce((total, counters) => total + counters[field], 0);
    return {
      sessions: {
        opened: sum('opened'),
        restarted: sum('restarted'),
        active: sum('active'),
        stopped: sum('stopped'),
        expired: sum('expired'),
        superseded: sum('superseded'),
        lost: sum('lost'),
      },
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
