/** The segments that a playlist names, and those that it has named and that players may still be fetching. */
import type { Segment } from './segmenter.js';

/** RFC 8216, 6.2.2: a playlist from which segments are taken is at least three target durations long; players begin so far from its end. */
const LISTED_TARGETS = 6;

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

  /** Bytes that would be free without it. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Takes in the next one. What leaves the playlist stays to be fetched for as long as the playlist was, and the segment itself (6.2.2). */
  add(segment: Segment, target: number): void {
    this.#segments.push(segment);
    const wanted = LISTED_TARGETS * target;
    for (;;) {
      const first = this.#segments[this.#listedFrom];
      if (secondsOf(this.listed) - first.seconds < wanted) break;
      this.#listedFrom += 1;
      if (first.discontinuity) this.#discontinuitiesGone += 1;
    }
    while (this.#listedFrom > 0 && secondsOf(this.#segments.slice(1, this.#listedFrom)) >= wanted + target) {
      this.#segments.shift();
      this.#listedFrom -= 1;
    }
  }

  find(index: number): Segment | undefined {
    return this.#segments.find((segment) => segment.index === index);
  }

  clear(): void {
    this.#segments = [];
    this.#listedFrom = 0;
  }
}

export function secondsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { seconds }) => sum + seconds, 0);
}
