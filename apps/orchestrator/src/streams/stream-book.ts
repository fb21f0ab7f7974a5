import type { KeyType, StreamStartedEvent } from '@acexy/contracts';

/** One stream as we know it, playing or ended. Times are milliseconds since the epoch. */
export interface Stream {
  id: string;
  keyType: KeyType;
  key: string;
  infohash: string | null;
  /** The engine it plays on; what the reporter said where that is none of ours. */
  containerId: string;
  /** Null where it came by an event. */
  proxyId: string | null;
  leaseId: string | null;
  playbackSessionId: string;
  statUrl: string;
  commandUrl: string;
  isLive: boolean;
  startedAt: number;
  endedAt: number | null;
  endReason: string | null;
}

/** What happened to a stream, for those who keep count: the database, the lease book, the metrics. */
export interface StreamChange {
  type: 'started' | 'moved' | 'updated' | 'ended';
  stream: Stream;
}

/** How many ended streams are kept in memory. */
const ENDED_KEPT = 1000;

/** All streams in memory: what reads are answered from. Says of each step what changed. */
export class StreamBook {
  private readonly streams = new Map<string, Stream>();
  /** Ids of the ended ones, the one that ended first first. */
  private readonly ended = new Set<string>();

  get(id: string): Stream | undefined {
    return this.streams.get(id);
  }

  /** Newest first. */
  all(): Stream[] {
    return [...this.streams.values()].sort((a, b) => b.startedAt - a.startedAt);
  }

  active(): Stream[] {
    return [...this.streams.values()].filter((stream) => stream.endedAt === null);
  }

  get size(): number {
    return this.streams.size;
  }

  get activeCount(): number {
    return this.streams.size - this.ended.size;
  }

  /** What the database remembers, without telling anybody. */
  restore(streams: readonly Stream[]): void {
    for (const stream of streams) {
      this.streams.set(stream.id, stream);
      if (stream.endedAt !== null) this.noteEnded(stream);
    }
  }

  /** Adds a stream or brings a known one up to date; one that had ended plays again. @returns null where nothing changed */
  put(stream: Stream): StreamChange | null {
    const known = this.streams.get(stream.id);
    if (!known || known.endedAt !== null) {
      this.ended.delete(stream.id);
      this.streams.set(stream.id, stream);
      return { type: 'started', stream };
    }
    const updated = { ...stream, startedAt: known.startedAt };
    if (same(known, updated)) return null;
    this.streams.set(stream.id, updated);
    return { type: known.containerId === updated.containerId ? 'updated' : 'moved', stream: updated };
  }

  /** @returns null for a stream that is not playing */
  end(id: string, reason: string, at: number): StreamChange | null {
    const known = this.streams.get(id);
    if (!known || known.endedAt !== null) return null;
    const stream = { ...known, endedAt: Math.max(at, known.startedAt), endReason: reason };
    this.streams.set(id, stream);
    this.noteEnded(stream);
    return { type: 'ended', stream };
  }

  /** Forgets those that ended before `before`. */
  forgetEnded(before: number): void {
    for (const id of this.ended) {
      if ((this.streams.get(id)?.endedAt ?? before) >= before) continue;
      this.ended.delete(id);
      this.streams.delete(id);
    }
  }

  private noteEnded({ id }: Stream): void {
    this.ended.delete(id);
    this.ended.add(id);
    if (this.ended.size <= ENDED_KEPT) return;
    const oldest = this.ended.values().next().value as string;
    this.ended.delete(oldest);
    this.streams.delete(oldest);
  }
}

/** The id of a stream that came by an event (wire API 1.3). */
export function eventStreamId({ labels, stream, session }: StreamStartedEvent): string {
  return labels?.stream_id || `${stream.key}|${session.playback_session_id}`;
}

function same(a: Stream, b: Stream): boolean {
  return (Object.keys(b) as (keyof Stream)[]).every((name) => a[name] === b[name]);
}
