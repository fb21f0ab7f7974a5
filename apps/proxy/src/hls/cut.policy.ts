/** Decides where the stream is cut into segments. All times are seconds since the segment's first picture. */

export interface SegmentSoFar {
  /** Entry points after the start of the segment, in order, up to the next discontinuity. */
  readonly entries: readonly number[];
  /** End of the stream received so far, or the next discontinuity. */
  readonly end: number;
  /** A discontinuity follows at `end`, and the entry point after it is known. */
  readonly breaksAtEnd: boolean;
}

export interface CutLimits {
  /** EXT-X-TARGETDURATION: no segment may be longer when rounded to whole seconds. */
  readonly target: number;
  /** The target duration is published and can no longer grow. */
  readonly fixed: boolean;
}

/** `entry`: at this entry point. `unit`: at a picture that is no entry point, because none arrives in time. `break`: at the discontinuity. */
export type CutDecision =
  { readonly at: 'none' } | { readonly at: 'entry'; readonly index: number } | { readonly at: 'unit' } | { readonly at: 'break' };

/** If keyframes are farther apart than this, a segment starts with another picture. In seconds. */
export const MAX_TARGET = 12;

/** Longest duration that still rounds to `target`, minus what is lost when it is written with milliseconds. */
export function maxSegmentSeconds(target: number): number {
  return target + 0.499;
}

/** Takes as many groups of pictures as fit, and does not wait for one that will probably not fit. */
export function decideCut({ entries, end, breaksAtEnd }: SegmentSoFar, { target, fixed }: CutLimits): CutDecision {
  const limit = maxSegmentSeconds(target);
  const last = entries.findLastIndex((seconds) => seconds <= limit);
  if (last >= 0) {
    const group = entries[last] - (last > 0 ? entries[last - 1] : 0);
    if (end > limit || entries[last] + group > limit) return { at: 'entry', index: last };
  } else {
    const hardLimit = fixed ? limit : maxSegmentSeconds(MAX_TARGET);
    if (entries.length > 0 && entries[0] <= hardLimit) return { at: 'entry', index: 0 };
    if (end > hardLimit) return { at: 'unit' };
  }
  return { at: breaksAtEnd ? 'break' : 'none' };
}
