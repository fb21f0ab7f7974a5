import { describe, expect, it } from 'vitest';
import type { Program } from '@acexy/mpegts';
import { chooseRandomAccessPoint, joinsAnywhere } from './join.policy.js';
import type { RandomAccessPoint } from '../buffer/stream-index.js';

const point = (mediaMs: number, kind: RandomAccessPoint['kind'] = 'clean'): RandomAccessPoint => ({
  position: mediaMs * 188,
  kind,
  mediaMs,
  program: {} as Program,
  patCounter: 0,
  pmtCounter: 0,
});
const keyframe = { joinMode: 'keyframe', joinSeconds: 1 } as const;

describe('the random-access point to join at', () => {
  it.each([
    ['the newest with enough stream after it', [0, 2000, 4000], 5000, 4000],
    ['the previous one if the newest is too young', [0, 2000, 4000], 4999, 2000],
    ['the oldest if none has enough stream after it', [4300, 4600], 5000, 4300],
    ['null if there is none', [], 5000, undefined],
  ])('is %s', (_name, points, live, expected) => {
    expect(
      chooseRandomAccessPoint(
        points.map((ms) => point(ms)),
        live,
        keyframe,
      )?.mediaMs,
    ).toBe(expected);
  });

  it.each(['keyframe', 'live', 'oldest'] as const)('is null in a stream without one, in mode %s', (joinMode) => {
    expect(chooseRandomAccessPoint([], 5000, { ...keyframe, joinMode })).toBeNull();
  });

  it('is gradual only if there is no clean one', () => {
    expect(chooseRandomAccessPoint([point(0), point(3000, 'gradual')], 5000, keyframe)?.mediaMs).toBe(0);
    expect(chooseRandomAccessPoint([point(0, 'gradual'), point(3000, 'gradual')], 5000, keyframe)?.mediaMs).toBe(3000);
  });

  it('is the newest or the oldest, depending on the mode', () => {
    const points = [point(0), point(2000), point(4900)];
    expect(chooseRandomAccessPoint(points, 5000, { ...keyframe, joinMode: 'live' })?.mediaMs).toBe(4900);
    expect(chooseRandomAccessPoint(points, 5000, { ...keyframe, joinMode: 'oldest' })?.mediaMs).toBe(0);
  });
});

describe('a stream without a random-access point', () => {
  it.each([
    [{ waitedMs: 499, bytes: 999_999, isEntryExpected: false }, false],
    [{ waitedMs: 500, bytes: 1, isEntryExpected: false }, true],
    [{ waitedMs: 0, bytes: 1_000_000, isEntryExpected: false }, true],
    [{ waitedMs: 10_000, bytes: 0, isEntryExpected: false }, false],
    [{ waitedMs: 1499, bytes: 2_000_000, isEntryExpected: true }, false],
    [{ waitedMs: 1500, bytes: 1, isEntryExpected: true }, true],
    [{ waitedMs: 1500, bytes: 0, isEntryExpected: true }, false],
  ])('%j: joined anywhere: %s', (cold, expected) => {
    expect(joinsAnywhere(cold, { coldJoinMs: 500, coldJoinBytes: 1_000_000 })).toBe(expected);
  });
});
