/** All playbacks of this engine: opening by the player rules, finding, stopping, and reaping those that nobody reads. */
import { createHash, randomBytes } from 'node:crypto';
import type { Content } from '../contents/content-directory.js';
import type { Counters, SessionEnd } from '../counters/counters.js';
import type { FaultBook } from '../faults/fault-book.js';
import { type PlaybackKind, decideStart } from './player.policy.js';
import { Session } from './session.js';

export interface StartInput {
  content: Content;
  kind: PlaybackKind;
  /** The player id, or the client's address where it gave none. */
  pid: string;
  restart?: boolean;
  useEvents?: boolean;
}

/** The engine will not start one more playback. */
export class StartRefused extends Error {
  readonly code = 'start_refused';
}

/** How the session of an address stands: still there, gone for a reason, or never heard of. */
export type Lookup = { found: 'active'; session: Session } | { found: SessionEnd } | { found: 'never' };

/** Ended sessions whose end is still told to those who ask. */
const MAX_ENDED = 1000;

export function playbackKey(pid: string): string {
  return createHash('md5').update(pid).digest('hex');
}

export class SessionRegistry {
  private readonly active = new Set<Session>();
  private readonly byAddress = new Map<string, Session>();
  private readonly ended = new Map<string, SessionEnd>();

  constructor(
    private readonly faults: FaultBook,
    private readonly counters: Counters,
    private readonly now: () => number = Date.now,
    private readonly log: (line: string) => void = () => undefined,
  ) {}

  list(): Session[] {
    return [...this.active];
  }

  /** Starts a playback, or finds the one it belongs to; throws StartRefused. */
  open(input: StartInput): { session: Session; key: string } {
    const key = playbackKey(input.pid);
    const { supersede, maxStreams } = this.faults.engine;
    const request = { infohash: input.content.infohash, pid: input.pid, kind: input.kind, restart: input.restart ?? false };
    const joined = this.byAddress.get(`${request.infohash}/${key}`);
    if (joined && joined.kind === input.kind && joined.pid !== input.pid && !request.restart) return this.again(joined, key, input);
    const decision = decideStart(this.list(), request, supersede, maxStreams);
    switch (decision.do) {
      case 'refuse':
        throw new StartRefused(decision.reason);
      case 'reuse':
        return this.again(decision.session, key, input);
      case 'alias':
        for (const session of decision.end) this.end(session, 'superseded');
        decision.session.keys.push(key);
        this.byAddress.set(`${request.infohash}/${key}`, decision.session);
        return this.again(decision.session, key, input);
      case 'open':
        for (const session of decision.end) this.end(session, 'superseded');
        return { session: this.add(input, key), key };
      default:
        return decision satisfies never;
    }
  }

  find(infohash: string, key: string): Lookup {
    const address = `${infohash}/${key}`;
    const session = this.byAddress.get(address);
    if (session) return { found: 'active', session };
    const how = this.ended.get(address);
    return how ? { found: how } : { found: 'never' };
  }

  /** The session that gave out `/content/<infohash>/<token>`. */
  findByToken(infohash: string, token: string): Session | null {
    for (const session of this.active) if (session.infohash === infohash && session.tokens.has(token)) return session;
    return null;
  }

  /** The HLS session that plays a content. */
  findHls(infohash: string): Session | null {
    for (const session of this.active) if (session.infohash === infohash && session.kind === 'hls') return session;
    return null;
  }

  end(session: Session, how: SessionEnd): void {
    if (!this.active.delete(session)) return;
    session.state = how;
    for (const key of session.keys) {
      const address = `${session.infohash}/${key}`;
      this.byAddress.delete(address);
      this.ended.delete(address);
      this.ended.set(address, how);
    }
    while (this.ended.size > MAX_ENDED) this.ended.delete(this.ended.keys().next().value!);
    this.counters.sessionEnded(session.infohash, how);
    this.log(`playback ${session.infohash} of player ${session.pid}: ${how} after ${session.bytesSent} bytes`);
    for (const dependant of [...session.dependants]) dependant.sessionEnded(how);
  }

  /** Ends sessions that nobody has read for their idle time, and those a fault says are lost. */
  sweep(): void {
    const now = this.now();
    for (const session of this.list()) {
      const { loseSessionAfterMs } = this.faults.of(session.content);
      if (loseSessionAfterMs !== null && now - session.createdAt >= loseSessionAfterMs) this.end(session, 'lost');
      else if (now - session.lastRead >= session.idleMs) this.end(session, 'expired');
    }
  }

  endAll(how: SessionEnd): void {
    for (const session of this.list()) this.end(session, how);
  }

  private again(session: Session, key: string, input: StartInput): { session: Session; key: string } {
    this.hearEvents(session, input);
    session.playbackSessionId = randomBytes(20).toString('hex');
    session.touch(this.now());
    this.counters.ofContent(session.infohash).restarted += 1;
    return { session, key };
  }

  /** A client that asks for events is told first what it starts. */
  private hearEvents(session: Session, input: StartInput): void {
    if (!input.useEvents) return;
    session.useEvents = true;
    session.emit({ name: 'live_changed', params: { is_live: this.faults.of(input.content).live ? 1 : 0 } });
  }

  private add(input: StartInput, key: string): Session {
    const knobs = this.faults.of(input.content);
    const now = this.now();
    const prebuffer = input.kind === 'hls' ? knobs.hlsPrebufMs : knobs.prebufMs;
    const session = new Session(input.content, input.pid, key, input.kind, now, now + prebuffer, knobs.idleMs);
    this.hearEvents(session, input);
    this.active.add(session);
    this.byAddress.set(`${session.infohash}/${key}`, session);
    this.counters.sessionOpened(session.infohash);
    this.log(`playback ${session.infohash} of player ${session.pid}: started (${session.kind})`);
    return session;
  }
}
