/** The newest part of the stream in immutable steps. Steps that leave it are left to the garbage collector: a socket may still be sending one. */
import type { StreamSnapshot } from '@acexy/mpegts';
import type { FramedBytes } from './framed-bytes.js';
import type { AccessPoint } from './stream-index.js';

export interface Chunk extends FramedBytes {
  /** Counts the steps of the stream. */
  readonly index: number;
  /** Where its first byte lies in the stream. */
  readonly position: number;
  /** Milliseconds of media up to its end. */
  readonly mediaMs: number;
  /** Counters and clocks at its end. */
  readonly exit: StreamSnapshot;
}

export interface RingBounds {
  readonly maxBytes: number;
  readonly maxSeconds: number;
}

/** The byte bound may be exceeded this many times to keep the newest entry point; beyond that memory comes first. */
const OVERRUN = 2;

export class Ring {
  readonly #steps: Chunk[] = [];
  #points: AccessPoint[] = [];
  #breaks: number[] = [];
  #bytes = 0;

  constructor(private readonly bounds: RingBounds) {}

  /** Bytes of stream held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds of media held, by the ends of its steps. */
  get spanMs(): number {
    return this.#steps.length === 0 ? 0 : this.#steps[this.#steps.length - 1].mediaMs - this.#steps[0].mediaMs;
  }

  /** Bits per second of media over what is held, or null where that is less than a step. */
  get bitrate(): number | null {
    return this.spanMs > 0 ? Math.round(((this.#bytes - this.#steps[0].data.length) * 8000) / this.spanMs) : null;
  }

  /** Position of the first byte held. */
  get startPosition(): number {
    return this.#steps.length === 0 ? 0 : this.#steps[0].position;
  }

  get firstIndex(): number {
    return this.#steps.length === 0 ? 0 : this.#steps[0].index;
  }

  /** Index of the step that comes next. */
  get nextIndex(): number {
    return this.#steps.length === 0 ? 0 : this.#steps[this.#steps.length - 1].index + 1;
  }

  /** Position behind the last byte held. */
  get endPosition(): number {
    if (this.#steps.length === 0) return 0;
    const last = this.#steps[this.#steps.length - 1];
    return last.position + last.data.length;
  }

  /** Entry points, oldest first; the newest may lie behind `endPosition`, in the step that is being filled. */
  get points(): readonly AccessPoint[] {
    return this.#points;
  }

  /** Places from which on the stream is another piece, entered at a keyframe; oldest first. */
  get breaks(): readonly number[] {
    return this.#breaks;
  }

  addBreak(position: number): void {
    this.#breaks.push(position);
  }

  addPoint(point: AccessPoint): void {
    this.#points.push(point);
  }

  /** The stream does not go on as it was to from `position` on, which is not in the ring yet. */
  dropPointsFrom(position: number): void {
    this.#points = this.#points.filter((point) => point.position < position);
  }

  /** Whether an entry point lies at `position`. */
  hasPointAt(position: number): boolean {
    return this.#points.some((point) => point.position === position);
  }

  append(bytes: FramedBytes, mediaMs: number, exit: StreamSnapshot): Chunk {
    const step: Chunk = { index: this.nextIndex, position: this.endPosition, framed: bytes.framed, data: bytes.data, mediaMs, exit };
    this.#steps.push(step);
    this.#bytes += step.data.length;
    this.#evict();
    return step;
  }

  /** The step with this index, or undefined where it has been evicted or is not there yet. */
  step(index: number): Chunk | undefined {
    return this.#steps[index - this.firstIndex];
  }

  /** The step that holds the byte at `position`, or undefined. */
  stepAt(position: number): Chunk | undefined {
    if (position < 0 || position >= this.endPosition) return undefined;
    return this.#steps.findLast((step) => step.position <= position);
  }

  /** The first step that ends after `mediaMs`, else the newest; undefined while there is none. */
  firstStepAfter(mediaMs: number): Chunk | undefined {
    const before = this.#steps.findLastIndex((step) => step.mediaMs <= mediaMs);
    return this.#steps.at(before + 1) ?? this.#steps.at(-1);
  }

  #evict(): void {
    const newest = this.#points.findLast((point) => point.position < this.endPosition)?.position ?? Infinity;
    while (this.#steps.length > 1) {
      const oldest = this.#steps[0];
      const overBytes = this.#bytes > this.bounds.maxBytes;
      const overTime = this.spanMs > this.bounds.maxSeconds * 1000;
      if (!overBytes && !overTime) break;
      const holdsNewest = newest < oldest.position + oldest.data.length;
      if (holdsNewest && this.#bytes <= this.bounds.maxBytes * OVERRUN) break;
      this.#steps.shift();
      this.#bytes -= oldest.data.length;
    }
    const start = this.#steps[0].position;
    if (this.#points.length > 0 && this.#points[0].position < start) this.#points = this.#points.filter((point) => point.position >= start);
    if (this.#breaks.length > 0 && this.#breaks[0] < start) this.#breaks = this.#breaks.filter((position) => position >= start);
  }
}
