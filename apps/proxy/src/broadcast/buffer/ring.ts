/** The newest part of the stream as chunks. The memory of an evicted chunk is used again, unless somebody holds its block. */
import type { ContinuitySnapshot, PacketStore } from '@acexy/mpegts';
import type { BroadcastSettings } from '../broadcast-settings.js';
import { entryPoints } from './entry-points.policy.js';
import type { FramedBytes } from './framed-bytes.js';
import type { RandomAccessPoint } from './stream-index.js';

export interface Chunk extends FramedBytes {
  /** Consecutive number of the chunk. */
  readonly index: number;
  /** Position of its first byte in the stream. */
  readonly position: number;
  /** Milliseconds of media up to its end. */
  readonly mediaMs: number;
  /** Counters and clocks at its end. */
  readonly endState: ContinuitySnapshot;
}

/** To keep the newest random-access point the ring may exceed `maxBytes` by this factor, but no further: memory is limited. */
const MAX_OVERRUN = 2;

export class Ring implements PacketStore {
  readonly #chunks: Chunk[] = [];
  #points: RandomAccessPoint[] = [];
  #discontinuities: number[] = [];
  readonly #maxSeconds: number;
  #maxBytes: number;
  /** Kept, because it is asked for at every read: the oldest chunk is no longer in the cache of the processor. */
  #bitrate: number | null = null;
  bytes = 0;

  constructor({ maxBytes, maxSeconds }: Pick<BroadcastSettings, 'maxBytes' | 'maxSeconds'>) {
    this.#maxBytes = maxBytes;
    this.#maxSeconds = maxSeconds;
  }

  /** Bytes kept. A smaller limit evicts at once. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  set maxBytes(limit: number) {
    this.#maxBytes = limit;
    this.#evict();
  }

  /** Milliseconds of media from the end of the first chunk to the end of the last one. */
  get spanMs(): number {
    return this.#chunks.length === 0 ? 0 : this.#chunks[this.#chunks.length - 1].mediaMs - this.#chunks[0].mediaMs;
  }

  /** Bits per second of media over the whole ring; null with fewer than two chunks. */
  get bitrate(): number | null {
    return this.#bitrate;
  }

  get startPosition(): number {
    return this.#chunks.length === 0 ? 0 : this.#chunks[0].position;
  }

  get firstIndex(): number {
    return this.#chunks.length === 0 ? 0 : this.#chunks[0].index;
  }

  /** Index of the chunk that is appended next. */
  get nextIndex(): number {
    return this.#chunks.length === 0 ? 0 : this.#chunks[this.#chunks.length - 1].index + 1;
  }

  get endPosition(): number {
    if (this.#chunks.length === 0) return 0;
    const last = this.#chunks[this.#chunks.length - 1];
    return last.position + last.data.length;
  }

  /** Random-access points, oldest first. The newest may be after `endPosition`, in the chunk that is being built. */
  get points(): readonly RandomAccessPoint[] {
    return this.#points;
  }

  /** Positions at which the stream continues with another section, entered at a random-access point; oldest first. */
  get discontinuities(): readonly number[] {
    return this.#discontinuities;
  }

  addDiscontinuity(position: number): void {
    this.#discontinuities.push(position);
  }

  addPoint(point: RandomAccessPoint): void {
    this.#points.push(point);
  }

  /** The bytes from `position` on, which are not in the ring yet, were dropped. */
  dropPointsFrom(position: number): void {
    this.#points = this.#points.filter((point) => point.position < position);
  }

  /** The ring releases the block of `bytes`, which the caller has held, after the eviction. */
  append(bytes: FramedBytes, mediaMs: number, endState: ContinuitySnapshot): void {
    const { data, framed, block } = bytes;
    this.#chunks.push({ index: this.nextIndex, position: this.endPosition, data, framed, block, mediaMs, endState });
    this.bytes += data.length;
    this.#evict();
  }

  /** The chunk with this index; undefined if it is evicted or not appended yet. */
  chunk(index: number): Chunk | undefined {
    return this.#chunks[index - this.firstIndex];
  }

  /** The chunk that contains the byte at `position`. */
  chunkAt(position: number): Chunk | undefined {
    if (position < 0 || position >= this.endPosition) return undefined;
    return this.#chunks.findLast((chunk) => chunk.position <= position);
  }

  /** The first chunk that ends after `mediaMs`, else the newest. */
  firstChunkAfter(mediaMs: number): Chunk | undefined {
    const before = this.#chunks.findLastIndex((chunk) => chunk.mediaMs <= mediaMs);
    return this.#chunks.at(before + 1) ?? this.#chunks.at(-1);
  }

  bytesFrom(position: number): Buffer {
    const chunk = this.chunkAt(position);
    if (chunk === undefined)
      throw new RangeError(`the ring has no byte ${position}: it contains ${this.startPosition} to ${this.endPosition}`);
    return chunk.data.subarray(position - chunk.position);
  }

  #evict(): void {
    while (this.#chunks.length > 1) {
      const oldest = this.#chunks[0];
      const overBytes = this.bytes > this.#maxBytes;
      const overTime = this.spanMs > this.#maxSeconds * 1000;
      if (!overBytes && !overTime) break;
      if (this.bytes <= this.#maxBytes * MAX_OVERRUN && this.#holdsNewestEntry(oldest)) break;
      this.#chunks.shift();
      this.bytes -= oldest.data.length;
      oldest.block?.release();
    }
    const start = this.startPosition;
    if (this.#points.length > 0 && this.#points[0].position < start) this.#points = this.#points.filter((point) => point.position >= start);
    if (this.#discontinuities.length > 0) this.#discontinuities = this.#discontinuities.filter((position) => position >= start);
    const { spanMs } = this;
    this.#bitrate = spanMs > 0 ? Math.round(((this.bytes - this.#chunks[0].data.length) * 8000) / spanMs) : null;
  }

  #holdsNewestEntry({ position, data }: Chunk): boolean {
    const end = position + data.length;
    // Most chunks have no point.
    if (this.#points.length === 0 || this.#points[0].position >= end) return false;
    const points = this.#points.filter((point) => point.position < this.endPosition);
    const newest = entryPoints(points, this.#chunks.at(-1)?.mediaMs ?? 0).at(-1);
    return newest !== undefined && newest.position < end;
  }
}
