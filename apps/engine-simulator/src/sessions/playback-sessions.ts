/** All playbacks of this engine: opens them by the player rules, finds and ends them, and lets unread ones expire. */
import { createHash, randomBytes } from 'node:crypto';
import type { Content } from '../catalog/content-catalog.js';
import type { FaultInjector } from '../faults/fault-injector.js';
import type { EndReason, EngineMetrics } from '../metrics/engine-metrics.js';
import { PlaybackSession } from './playback-session.js';
import { type PlaybackKind, decideStart } from './player.policy.js';

export interface StartInput {
  content: Content;
  kind: PlaybackKind;
  /** The player id; the client's address if it sent none. */
  pid: string;
}

export interface StartedPlayback {
  session: PlaybackSession;
  key: string;
}

/** The session of a playback URL: active, ended for a reason, or unknown. */
export type SessionLookup = { state: 'active'; session: PlaybackSession } | { state: EndReason | 'unknown' };

/** Ended sessions whose reason is remembered. */
const MAX_ENDED = 1000;

export function playbackKey(pid: string): string {
  return createHash('md5').update(pid).digest('hex');
}

export class PlaybackSessions {
  private readonly active = new Set<PlaybackSession>();
  /** By `<infohash>/<key>`, as playback URLs have it. */
  private readonly byPath = new Map<string, PlaybackSession>();
  private readonly ended = new Map<string, EndReason>();

  constructor(
    private readonly faults: FaultInjector,
    private readonly metrics: EngineMetrics,
    private readonly now: () => number = Date.now,
    private readonly log: (line: string) => void = () => undefined,
  ) {}

  list(): PlaybackSession[] {
    return [...this.active];
  }

  /** Starts a playback, restarts the player's own, or joins another player's. Null if the engine has `maxStreams` playbacks. */
  open(input: StartInput): StartedPlayback | null {
    const { content, kind, pid } = input;
    const key = playbackKey(pid);
    const { supersede, maxStreams } = this.faults.engineSettings;
    const path = `${content.infohash}/${key}`;
    const own = this.byPath.get(path);
    if (own?.kind === kind) return this.restart(own, key);
    const decision = decideStart(this.list(), { infohash: content.infohash, pid, kind }, supersede, maxStreams);
    switch (decision.do) {
      case 'refuse':
        return null;
      case 'join':
        for (const session of decision.end) this.end(session, 'superseded');
        decision.session.keys.push(key);
        this.byPath.set(path, decision.session);
        return this.restart(decision.session, key);
      case 'open':
        for (const session of decision.end) this.end(session, 'superseded');
        return { session: this.add(input, key), key };
      default:
        return decision satisfies never;
    }
  }

  find(infohash: string, key: string): SessionLookup {
    const path = `${infohash}/${key}`;
    const session = this.byPath.get(path);
    return session ? { state: 'active', session } : { state: this.ended.get(path) ?? 'unknown' };
  }

  /** The session that created `/content/<infohash>/<token>`. */
  findByToken(infohash: string, token: string): PlaybackSession | null {
    return this.list().find((session) => session.infohash === infohash && session.tokens.has(token)) ?? null;
  }

  /** The HLS session of a content. */
  findHls(infohash: string): PlaybackSession | null {
    return this.list().find((session) => session.infohash === infohash && session.kind === 'hls') ?? null;
  }

  end(session: PlaybackSession, reason: EndReason): void {
    if (!this.active.delete(session)) return;
    session.state = reason;
    for (const key of session.keys) {
      const path = `${session.infohash}/${key}`;
      this.byPath.delete(path);
      this.ended.delete(path);
      this.ended.set(path, reason);
    }
    while (this.ended.size > MAX_ENDED) this.ended.delete(this.ended.keys().next().value!);
    this.metrics.sessionEnded(session.infohash, reason);
    this.log(`playback ${session.infohash} of player ${session.pid}: ${reason} after ${session.bytesSent} bytes`);
    for (const reader of [...session.readers]) reader.sessionEnded(reason);
  }

  /** Ends sessions that were not read for their idle time, and those that a fault loses. */
  sweep(): void {
    const now = this.now();
    for (const session of this.list()) {
      const { loseSessionAfterMs } = this.faults.settingsOf(session.content);
      if (loseSessionAfterMs !== null && now - session.createdAt >= loseSessionAfterMs) this.end(session, 'lost');
      else if (now - session.lastRead >= session.idleMs) this.end(session, 'expired');
    }
  }

  endAll(reason: EndReason): void {
    for (const session of this.list()) this.end(session, reason);
  }

  private restart(session: PlaybackSession, key: string): StartedPlayback {
    session.playbackSessionId = randomBytes(20).toString('hex');
    session.touch(this.now());
    this.metrics.ofContent(session.infohash).restarted += 1;
    return { session, key };
  }

  private add({ content, kind, pid }: StartInput, key: string): PlaybackSession {
    const settings = this.faults.settingsOf(content);
    const now = this.now();
    const prebufMs = kind === 'hls' ? settings.hlsPrebufMs : settings.prebufMs;
    const session = new PlaybackSession(content, pid, key, kind, now, now + prebufMs, settings.idleMs);
    this.active.add(session);
    this.byPath.set(`${session.infohash}/${key}`, session);
    this.metrics.sessionOpened(session.infohash);
    this.log(`playback ${session.infohash} of player ${session.pid}: started (${session.kind})`);
    return session;
  }
}
