/** The segments that a playlist names, and those that it has named and that players may still be fetching. */
import type { Segment } from './segmenter.js';

/** What a playlist names, in target durations; players begin three of them from its end … */
const LISTED_TARGETS = 6;
/** … and it must not be shorter than that once segments are taken from it (RFC 8216, 6.2.2). */
const LEAST_TARGETS = 3;

export class SegmentWindow {
  #segments: Segment[] = [];
  /** Place of the first one that is listed. */
  #listedFrom = 0;
  #discontinuitiesGone = 0;

  get listed(): readonly Segment[] {
    return this.#segments.slice(this.#listedFrom);
  }

  /** Discontinuities that the playlist named once. */
  get discontinuitiesGone(): number {
    return this.#discontinuitiesGone;
  }

  /** `maxBytes` of segments; exceeded, up to twice, only where the playlist would be too short otherwise. */
  constructor(private readonly maxBytes = Infinity) {}

  /** Bytes that would be free without it. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Takes in the next one. What leaves the playlist stays to be fetched for as long as the playlist was, and the segment itself (6.2.2). */
  add(segment: Segment, target: number): void {
    this.#segments.push(segment);
    const wanted = LISTED_TARGETS * target;
    while (this.#listedWithoutFirst >= wanted) this.#unlistFirst();
    while (this.#listedFrom > 0 && secondsOf(this.#segments.slice(1, this.#listedFrom)) >= wanted + target) this.#dropFirst();
    this.#keepWithin(LEAST_TARGETS * target);
  }

  find(index: number): Segment | undefined {
    return this.#segments.find((segment) => segment.index === index);
  }

  clear(): void {
    this.#segments = [];
    this.#listedFrom = 0;
  }

  /** Seconds that the playlist would name without its first segment. */
  get #listedWithoutFirst(): number {
    return secondsOf(this.#segments.slice(this.#listedFrom + 1));
  }

  /** The bound of bytes: first goes what no playlist names any more, then what is listed beyond `leastS` seconds, last what would be twice too much. */
  #keepWithin(leastS: number): void {
    while (this.#listedFrom > 0 && this.bytes > this.maxBytes) this.#dropFirst();
    while (this.#segments.length > 1 && this.bytes > (this.#listedWithoutFirst >= leastS ? 1 : 2) * this.maxBytes) {
      this.#unlistFirst();
      this.#dropFirst();
    }
  }

  #unlistFirst(): void {
    if (this.#segments[this.#listedFrom].discontinuity) this.#discontinuitiesGone += 1;
    this.#listedFrom += 1;
  }

  #dropFirst(): void {
    this.#segments.shift();
    this.#listedFrom -= 1;
  }
}

export function secondsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { seconds }) => sum + seconds, 0);
}
