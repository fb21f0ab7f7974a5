/** Passes the stream chunk by chunk to a follower in this process, for example the HLS segmenter: nothing is written and nothing waits. */
import type { Chunk } from '../buffer/ring.js';
import { entryPoints } from '../buffer/entry-points.policy.js';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import type { RandomAccessPoint } from '../buffer/stream-index.js';
import { chooseRandomAccessPoint } from './join.policy.js';

export interface StreamFollower {
  /**
   * The next chunk, with the random-access points and discontinuities that became known before its end. A point may be in an earlier chunk. A
   * discontinuity is a position at which the stream continues with another section, entered at the next point.
   */
  onChunk(chunk: Chunk, points: readonly RandomAccessPoint[], discontinuities: readonly number[]): void;
  /** Called once, after the last chunk. `error`: thrown by the follower itself, which gets no further chunks. */
  onEnd(error?: unknown): void;
}

export class StreamTap {
  #next: number;
  /** Points and discontinuities before these positions were passed on. */
  #pointsFrom: number;
  #discontinuitiesFrom: number;
  #ended = false;

  /** Starts at a random-access point that has `seconds` of stream after it, or at the oldest one. */
  constructor(
    private readonly buffer: StreamBuffer,
    private readonly follower: StreamFollower,
    seconds: number,
    private readonly onException: (error: unknown) => void,
  ) {
    const { ring, index } = buffer;
    const points = ring.points.filter((point) => point.position < ring.endPosition);
    const start = chooseRandomAccessPoint(points, index.clock.elapsedMs, { joinMode: 'keyframe', joinSeconds: seconds });
    this.#next = (start === null ? undefined : ring.chunkAt(start.position)?.index) ?? ring.firstIndex;
    this.#pointsFrom = start?.position ?? 0;
    this.#discontinuitiesFrom = this.#pointsFrom + 1;
  }

  /** Passes on the chunks that are new. */
  pump(): void {
    if (this.#ended) return;
    try {
      const { ring } = this.buffer;
      for (let chunk = ring.chunk(this.#next); chunk !== undefined && !this.#ended; chunk = ring.chunk(this.#next)) {
        this.#next += 1;
        const end = chunk.position + chunk.data.length;
        const known = ring.points.filter(({ position }) => position < end);
        const points = entryPoints(known, chunk.mediaMs).filter(({ position }) => position >= this.#pointsFrom);
        const discontinuities = ring.discontinuities.filter((position) => position >= this.#discontinuitiesFrom && position < end);
        if (points.length > 0) this.#pointsFrom = points[points.length - 1].position + 1;
        if (discontinuities.length > 0) this.#discontinuitiesFrom = discontinuities[discontinuities.length - 1] + 1;
        this.follower.onChunk(chunk, points, discontinuities);
      }
    } catch (error) {
      this.end(error); // an error of one follower must not affect the others
    }
  }

  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.follower.onEnd(error);
    } catch (thrown) {
      this.onException(thrown);
    }
  }
}
