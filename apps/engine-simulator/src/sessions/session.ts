/** One playback on the engine, from its start until it is stopped, superseded, lost or has expired unread. */
import { randomBytes } from 'node:crypto';
import type { Content } from '../contents/content-directory.js';
import type { SessionEnd } from '../counters/counters.js';
import type { PlaybackKind } from './player.policy.js';

/** What hangs on a session and must go when it ends: readers and long polls. */
export interface Dependant {
  sessionEnded(how: SessionEnd): void;
}

export interface EngineEvent {
  name: string;
  params: Record<string, unknown>;
}

const MAX_TOKENS = 64;
const MAX_EVENTS = 100;

export class Session {
  /** 40 hex, new with every start. */
  playbackSessionId = randomBytes(20).toString('hex');
  state: 'active' | SessionEnd = 'active';
  /** Playback keys under which it can be reached; more than one where another player joined. */
  readonly keys: string[];
  /** Readers of the progressive stream by key. */
  readonly readers = new Map<string, number>();
  readonly dependants = new Set<Dependant>();
  readonly events: EngineEvent[] = [];
  /** Random parts of the /content/ addresses given out, with the key each belongs to. */
  readonly tokens = new Map<string, string>();
  idleMs: number;
  lastRead: number;
  bytesSent = 0;
  /** When the reader was found stalled by a fault, Unix ms. */
  stalledSince: number | null = null;
  firstByteAt: number | null = null;
  /** Where the reader is on the broadcaster's timeline, Unix ms. */
  positionTime: number | null = null;
  useEvents = false;

  constructor(
    readonly content: Content,
    readonly pid: string,
    key: string,
    readonly kind: PlaybackKind,
    readonly createdAt: number,
    readonly readyAt: number,
    idleMs: number,
  ) {
    this.keys = [key];
    this.idleMs = idleMs;
    this.lastRead = createdAt;
  }

  get infohash(): string {
    return this.content.infohash;
  }

  readersOf(key: string): number {
    return this.readers.get(key) ?? 0;
  }

  get readerCount(): number {
    let count = 0;
    for (const readers of this.readers.values()) count += readers;
    return count;
  }

  newToken(key: string): string {
    const token = `0.${randomBytes(6).readUIntBE(0, 6)}`;
    this.tokens.set(token, key);
    if (this.tokens.size > MAX_TOKENS) this.tokens.delete(this.tokens.keys().next().value!);
    return token;
  }

  touch(now: number): void {
    this.lastRead = now;
  }

  emit(event: EngineEvent): void {
    if (!this.useEvents) return;
    this.events.push(event);
    if (this.events.length > MAX_EVENTS) this.events.shift();
  }
}
