import { describe, expect, it } from 'vitest';
import type { Program } from '@acexy/mpegts';
import { chooseAccessPoint, takesWhatThereIs } from './join.policy.js';
import type { AccessPoint } from '../buffer/stream-index.js';

const point = (mediaMs: number, kind: AccessPoint['kind'] = 'clean'): AccessPoint => ({
  position: mediaMs * 188,
  kind,
  mediaMs,
  program: {} as Program,
  patCounter: 0,
  pmtCounter: 0,
});
const keyframe = { joinMode: 'keyframe', joinSeconds: 1 } as const;

describe('the place to join at', () => {
  it.each([
    ['the newest with enough behind it', [0, 2000, 4000], 5000, 4000],
    ['the one before where the newest is too young', [0, 2000, 4000], 4999, 2000],
    ['the oldest where none has enough behind it', [4300, 4600], 5000, 4300],
    ['nothing where there is nothing', [], 5000, undefined],
  ])('is %s', (_name, points, live, expected) => {
    expect(
      chooseAccessPoint(
        points.map((ms) => point(ms)),
        live,
        keyframe,
      )?.mediaMs,
    ).toBe(expected);
  });

  it('is one where the picture heals only if there is no other', () => {
    expect(chooseAccessPoint([point(0), point(3000, 'gradual')], 5000, keyframe)?.mediaMs).toBe(0);
    expect(chooseAccessPoint([point(0, 'gradual'), point(3000, 'gradual')], 5000, keyframe)?.mediaMs).toBe(3000);
  });

  it('is the newest or the oldest of all where the mode says so', () => {
    const points = [point(0), point(2000), point(4900)];
    expect(chooseAccessPoint(points, 5000, { ...keyframe, joinMode: 'live' })?.mediaMs).toBe(4900);
    expect(chooseAccessPoint(points, 5000, { ...keyframe, joinMode: 'oldest' })?.mediaMs).toBe(0);
  });
});

describe('a cold stream', () => {
  it.each([
    [{ waitedMs: 499, bytes: 999_999 }, false],
    [{ waitedMs: 500, bytes: 1 }, true],
    [{ waitedMs: 0, bytes: 1_000_000 }, true],
    [{ waitedMs: 10_000, bytes: 0 }, false],
  ])('%j: taken as it is: %s', (cold, expected) => {
    expect(takesWhatThereIs(cold, { coldJoinMs: 500, coldJoinBytes: 1_000_000 })).toBe(expected);
  });
});
