/** Where the stream is cut into segments. Pure. All times are seconds since the segment's first picture. */

export interface SegmentSoFar {
  /** Entry points behind the beginning, in their order, up to the next break. */
  readonly entries: readonly number[];
  /** How far the stream goes, up to the next break. */
  readonly end: number;
  /** Another piece of stream follows at `end`, and its entry point is there. */
  readonly breaksAtEnd: boolean;
}

export interface CutLimits {
  /** EXT-X-TARGETDURATION: no segment may be longer when rounded to whole seconds. */
  readonly target: number;
  /** The target is published and cannot grow any more. */
  readonly fixed: boolean;
}

/** `entry`: at that one of the entry points. `unit`: at a picture that is none, because none comes in time. `break`: where the stream breaks. */
export type CutDecision =
  { readonly at: 'none' } | { readonly at: 'entry'; readonly index: number } | { readonly at: 'unit' } | { readonly at: 'break' };

/** Keyframes farther apart than this are not waited for: a segment begins with another picture then. */
export const MAX_TARGET = 12;

/** What still rounds to `target`, less the milliseconds that are lost in writing it down. */
export function longest(target: number): number {
  return target + 0.499;
}

/** As many groups of pictures as fit, and no waiting for one that will hardly fit. */
export function decideCut({ entries, end, breaksAtEnd }: SegmentSoFar, { target, fixed }: CutLimits): CutDecision {
  const limit = longest(target);
  const last = entries.findLastIndex((seconds) => seconds <= limit);
  if (last >= 0) {
    const group = entries[last] - (last > 0 ? entries[last - 1] : 0);
    if (end > limit || entries[last] + group > limit) return { at: 'entry', index: last };
  } else {
    const hardLimit = fixed ? limit : longest(MAX_TARGET);
    if (entries.length > 0 && entries[0] <= hardLimit) return { at: 'entry', index: 0 };
    if (end > hardLimit) return { at: 'unit' };
  }
  return { at: breaksAtEnd ? 'break' : 'none' };
}
