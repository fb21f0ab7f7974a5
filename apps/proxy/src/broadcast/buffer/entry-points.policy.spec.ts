import type { Program } from '@acexy/mpegts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryPoints } from './entry-points.policy.js';
import type { RandomAccessPoint } from './stream-index.js';

function point(mediaMs: number, kind: RandomAccessPoint['kind'] = 'intra'): RandomAccessPoint {
  return { position: mediaMs * 100, kind, mediaMs, program: {} as Program, patCounter: 0, pmtCounter: 0 };
}

const timesOf = (points: readonly RandomAccessPoint[]): number[] => points.map(({ mediaMs }) => mediaMs);

describe('an I picture', () => {
  it('is an entry when nothing better came within a second', () => {
    expect(entryPoints([point(300)], 999)).toEqual([]);
    expect(timesOf(entryPoints([point(300)], 1000))).toEqual([300]);
    expect(timesOf(entryPoints([point(300), point(1300)], 1300))).toEqual([300, 1300]);
  });

  it.each(['clean', 'gradual'] as const)('is none in a stream with something better: %s', (kind) => {
    expect(timesOf(entryPoints([point(300), point(900, kind), point(1500), point(2500)], 3000))).toEqual([900]);
    expect(timesOf(entryPoints([point(0, kind), point(5000)], 9999))).toEqual([0]);
    expect(timesOf(entryPoints([point(0, kind), point(9000, kind), point(9500)], 12_000))).toEqual([0, 9000]);
  });

  it('is an entry again 10 s after the last keyframe', () => {
    expect(timesOf(entryPoints([point(0, 'clean'), point(5000), point(9000)], 10_000))).toEqual([5000, 9000]);
    expect(timesOf(entryPoints([point(0, 'clean')], 60_000))).toEqual([0]);
  });

  it('never hides a newer keyframe, and entries stay in order', () => {
    const kinds = fc.constantFrom<RandomAccessPoint['kind']>('clean', 'gradual', 'intra');
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(4000), kinds)), fc.nat(20_000), (steps, after) => {
        let at = 0;
        const points = steps.map(([step, kind]) => point((at += step), kind));
        const entries = entryPoints(points, at + after);
        expect(timesOf(entries)).toEqual(timesOf(entries).toSorted((left, right) => left - right));
        const newest = points.findLast(({ kind }) => kind !== 'intra');
        if (newest !== undefined && after < 10_000 - (at - newest.mediaMs)) expect(entries).toContain(newest);
        for (const entry of entries) expect(points).toContain(entry);
      }),
    );
  });
});
