/** One playback on the engine, from its start until it is stopped, superseded, lost or expired. */
import { randomBytes } from 'node:crypto';
import type { Content } from '../catalog/content-catalog.js';
import type { EndReason } from '../metrics/engine-metrics.js';
import type { PlaybackKind } from './player.policy.js';

/** A reader of the progressive stream. */
export interface SessionReader {
  /** The playback key by which it came. */
  readonly key: string;
  sessionEnded(reason: EndReason): void;
}

const MAX_TOKENS = 64;

export class PlaybackSession {
  /** 40 hexadecimal digits, new with every start. */
  playbackSessionId = randomBytes(20).toString('hex');
  state: 'active' | EndReason = 'active';
  /** The playback keys of its players; more than one if another player joined. */
  readonly keys: string[];
  readonly readers = new Set<SessionReader>();
  /** Random parts of the /content/ URLs, with the playback key of each. */
  readonly tokens = new Map<string, string>();
  lastRead: number;
  bytesSent = 0;
  /** Unix ms; null while the reader does not stall. */
  stalledSince: number | null = null;
  firstByteAt: number | null = null;
  /** Position of the reader on the broadcaster's timeline, Unix ms. */
  positionTime: number | null = null;

  constructor(
    readonly content: Content,
    readonly pid: string,
    key: string,
    readonly kind: PlaybackKind,
    readonly createdAt: number,
    readonly readyAt: number,
    readonly idleMs: number,
  ) {
    this.keys = [key];
    this.lastRead = createdAt;
  }

  get infohash(): string {
    return this.content.infohash;
  }

  readersOf(key: string): number {
    return [...this.readers].filter((reader) => reader.key === key).length;
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
}
