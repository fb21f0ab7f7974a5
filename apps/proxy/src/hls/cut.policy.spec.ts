import { describe, expect, it } from 'vitest';
import { decideCut, MAX_TARGET, maxSegmentSeconds } from './cut.policy.js';

const FIXED = { target: 4, fixed: true };
const GROWING = { target: 4, fixed: false };
const so = (entries: number[], end: number, breaksAtEnd = false) => ({ entries, end, breaksAtEnd });

describe('decideCut', () => {
  it('puts as many groups of pictures into a segment as fit, and does not wait for one that will not fit', () => {
    expect(decideCut(so([1.92], 2), FIXED)).toEqual({ at: 'none' });
    expect(decideCut(so([1.92, 3.84], 3.9), FIXED)).toEqual({ at: 'entry', index: 1 });
    expect(decideCut(so([1, 2], 2.1), FIXED)).toEqual({ at: 'none' });
    expect(decideCut(so([1, 2, 3, 4], 4.1), FIXED)).toEqual({ at: 'entry', index: 3 });
  });

  it('cuts at the last keyframe that fits when the next one is late', () => {
    expect(decideCut(so([1, 1.5], 4.4), FIXED)).toEqual({ at: 'none' });
    expect(decideCut(so([1, 1.5], 4.6), FIXED)).toEqual({ at: 'entry', index: 1 });
    expect(decideCut(so([1, 1.5, 9], 9), FIXED)).toEqual({ at: 'entry', index: 1 });
  });

  it('waits for a distant keyframe while the target may grow, and cuts at any picture when it may not', () => {
    expect(decideCut(so([], 8), GROWING)).toEqual({ at: 'none' });
    expect(decideCut(so([10], 10), GROWING)).toEqual({ at: 'entry', index: 0 });
    expect(decideCut(so([], 12.6), GROWING)).toEqual({ at: 'unit' });
    expect(decideCut(so([], 4.6), FIXED)).toEqual({ at: 'unit' });
    expect(decideCut(so([10], 10), FIXED)).toEqual({ at: 'unit' });
  });

  it('cuts at a discontinuity, after all cuts that are due before it', () => {
    expect(decideCut(so([1.92], 2.5, true), FIXED)).toEqual({ at: 'break' });
    expect(decideCut(so([1.92, 3.84], 4.2, true), FIXED)).toEqual({ at: 'entry', index: 1 });
    expect(decideCut(so([], 0, true), FIXED)).toEqual({ at: 'break' });
  });

  it('counts a duration that is exactly the limit as within it', () => {
    const limit = maxSegmentSeconds(FIXED.target);
    const longest = maxSegmentSeconds(MAX_TARGET);
    expect(decideCut(so([1, limit], limit + 0.1), FIXED)).toEqual({ at: 'entry', index: 1 });
    expect(decideCut(so([1, 1.5], limit), FIXED)).toEqual({ at: 'none' });
    expect(decideCut(so([limit / 2], 3), FIXED)).toEqual({ at: 'none' });
    expect(decideCut(so([longest], longest), GROWING)).toEqual({ at: 'entry', index: 0 });
    expect(decideCut(so([], longest), GROWING)).toEqual({ at: 'none' });
  });

  it('never makes a segment that rounds to more than the target', () => {
    for (const target of [1, 4, 12]) expect(Math.round(maxSegmentSeconds(target))).toBe(target);
  });

  it.each([
    [[3, 4], { at: 'none' }],
    [[4], { at: 'entry', index: 0 }],
    [[3.5], { at: 'entry', index: 0 }],
    [[3], { at: 'none' }],
    [[2, 4, 5.9], { at: 'entry', index: 2 }],
    [[6.499], { at: 'entry', index: 0 }],
  ])('after groups that end at %j s it cuts when one more of the last length does not fit: %j', (entries, decision) => {
    expect(decideCut({ entries, end: 6.499, breaksAtEnd: false }, { target: 6, fixed: true })).toEqual(decision);
  });
});
