import type { StreamStartedEvent } from '@acexy/contracts';
import { isDeepStrictEqual } from 'node:util';
import type { StreamRow } from '../database/stream-row.entity.js';

/** A stream, playing or ended, with the fields of its row in the database. Times are wall time in milliseconds. */
export interface TrackedStream extends Omit<StreamRow, 'startedAt' | 'endedAt' | 'status'> {
  leaseId: string | null;
  startedAt: number;
  endedAt: number | null;
}

export interface StreamChange {
  type: 'started' | 'moved' | 'updated' | 'ended';
  stream: TrackedStream;
}

/** Number of ended streams kept in memory. */
const ENDED_KEPT = 1000;

/** All streams, in memory; the API reads from here. Every operation returns what it changed. */
export class StreamBook {
  private readonly streams = new Map<string, TrackedStream>();
  /** Ids of the ended streams, in the order of their ends. */
  private readonly ended = new Set<string>();

  get(id: string): TrackedStream | undefined {
    return this.streams.get(id);
  }

  /** Newest first. */
  all(): TrackedStream[] {
    return [...this.streams.values()].sort((a, b) => b.startedAt - a.startedAt);
  }

  active(): TrackedStream[] {
    return [...this.streams.values()].filter((stream) => stream.endedAt === null);
  }

  get size(): number {
    return this.streams.size;
  }

  get activeCount(): number {
    return this.streams.size - this.ended.size;
  }

  /** Loads streams from the database. */
  restore(streams: readonly TrackedStream[]): void {
    for (const stream of streams) {
      this.streams.set(stream.id, stream);
      if (stream.endedAt !== null) this.noteEnded(stream);
    }
  }

  /** Adds a stream or updates a known one; an ended one plays again. @returns null if nothing changed */
  put(stream: TrackedStream): StreamChange | null {
    const known = this.streams.get(stream.id);
    if (!known || known.endedAt !== null) {
      this.ended.delete(stream.id);
      this.streams.set(stream.id, stream);
      return { type: 'started', stream };
    }
    const updated = { ...stream, startedAt: known.startedAt };
    if (isDeepStrictEqual(known, updated)) return null;
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

  /** @param before wall time in milliseconds */
  forgetEnded(before: number): void {
    for (const id of this.ended) {
      if ((this.streams.get(id)?.endedAt ?? before) >= before) continue;
      this.ended.delete(id);
      this.streams.delete(id);
    }
  }

  private noteEnded({ id }: TrackedStream): void {
    this.ended.delete(id);
    this.ended.add(id);
    if (this.ended.size <= ENDED_KEPT) return;
    const oldest = this.ended.values().next().value as string;
    this.ended.delete(oldest);
    this.streams.delete(oldest);
  }
}

/** The id of a stream reported by an event (wire API 1.3). */
export function eventStreamId({ labels, stream, session }: StreamStartedEvent): string {
  return labels?.stream_id || `${stream.key}|${session.playback_session_id}`;
}
