/** The segments that the playlist lists, and earlier ones that players may still be downloading. */
import type { Segment } from './segmenter.js';

/** Length of the playlist, in target durations; players start three of them from its end … */
const LISTED_TARGETS = 6;
/** … and once segments are removed it must not be shorter than this (RFC 8216, 6.2.2). */
const MIN_TARGETS = 3;

export class SegmentWindow {
  #segments: Segment[] = [];
  /** Index of the first segment that is listed. */
  #listedFrom = 0;
  #removedDiscontinuities = 0;

  get listed(): readonly Segment[] {
    return this.#segments.slice(this.#listedFrom);
  }

  /** Number of discontinuities that have left the playlist (EXT-X-DISCONTINUITY-SEQUENCE). */
  get removedDiscontinuities(): number {
    return this.#removedDiscontinuities;
  }

  /**
   * @param maxBytes of segments; exceeded, up to twice, only if the playlist would otherwise be too short
   * @param onDrop called for each segment that is no longer kept
   */
  constructor(
    public maxBytes = Infinity,
    private readonly onDrop: (segment: Segment) => void = () => undefined,
  ) {}

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Adds the next segment. A segment that leaves the playlist can be downloaded for one more playlist length plus its own (RFC 8216, 6.2.2). */
  add(segment: Segment, target: number): void {
    this.#segments.push(segment);
    const wanted = LISTED_TARGETS * target;
    while (this.#listedWithoutFirst >= wanted) this.#unlistFirst();
    while (this.#listedFrom > 0 && secondsOf(this.#segments.slice(1, this.#listedFrom)) >= wanted + target) this.#dropFirst();
    this.#enforceLimit(MIN_TARGETS * target);
  }

  find(index: number): Segment | undefined {
    return this.#segments.find((segment) => segment.index === index);
  }

  clear(): void {
    this.#segments = [];
    this.#listedFrom = 0;
  }

  /** Length of the playlist without its first segment, in seconds. */
  get #listedWithoutFirst(): number {
    return secondsOf(this.#segments.slice(this.#listedFrom + 1));
  }

  /** Enforces the byte limit: removes first unlisted segments, then those beyond `minS` seconds of playlist, last all above twice the limit. */
  #enforceLimit(minS: number): void {
    while (this.#listedFrom > 0 && this.bytes > this.maxBytes) this.#dropFirst();
    while (this.#segments.length > 1 && this.bytes > (this.#listedWithoutFirst >= minS ? 1 : 2) * this.maxBytes) {
      this.#unlistFirst();
      this.#dropFirst();
    }
  }

  #unlistFirst(): void {
    if (this.#segments[this.#listedFrom].discontinuity) this.#removedDiscontinuities += 1;
    this.#listedFrom += 1;
  }

  #dropFirst(): void {
    const [dropped] = this.#segments.splice(0, 1);
    this.#listedFrom -= 1;
    this.onDrop(dropped);
  }
}

export function secondsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { seconds }) => sum + seconds, 0);
}
