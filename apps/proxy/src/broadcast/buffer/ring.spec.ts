import { NONE, type Program } from '@acexy/mpegts';
import { describe, expect, it } from 'vitest';
import { frame } from './framed-bytes.js';
import { Ring } from './ring.js';

const CHUNK = 1000;
const POINT = { kind: 'clean', mediaMs: 0, program: {} as Program, patCounter: 0, pmtCounter: 0 } as const;
const END_STATE = { counters: new Map<number, number>(), clocks: [], pcr: NONE };

/** A ring with room for 10 chunks after 100, each with a random-access point and a discontinuity at its start. */
function fullRing(): Ring {
  const ring = new Ring({ maxBytes: 10 * CHUNK, maxSeconds: 60 });
  for (let index = 0; index < 100; index += 1) {
    const position = index * CHUNK;
    ring.addPoint({ position, kind: 'clean', mediaMs: index, program: {} as Program, patCounter: 0, pmtCounter: 0 });
    ring.addDiscontinuity(position);
    ring.append(frame(Buffer.alloc(CHUNK)), index, END_STATE);
  }
  return ring;
}

describe('the ring', () => {
  it('drops the random-access points and discontinuities of evicted chunks', () => {
    const ring = fullRing();
    const kept = Array.from({ length: 10 }, (_, index) => (90 + index) * CHUNK);
    expect(ring.points.map(({ position }) => position)).toEqual(kept);
    expect(ring.discontinuities).toEqual(kept);
  });

  it('keeps the chunk with the newest random-access point beyond its limit, up to twice the limit', () => {
    const ring = new Ring({ maxBytes: 3 * CHUNK, maxSeconds: 60 });
    const add = (index: number): void => ring.append(frame(Buffer.alloc(CHUNK)), index, END_STATE);
    ring.addPoint({ ...POINT, position: CHUNK - 1 });
    for (let index = 0; index < 6; index += 1) add(index);
    // The point is in the last byte of the first chunk.
    expect([ring.firstIndex, ring.bytes, ring.points.length]).toEqual([0, 6 * CHUNK, 1]);
    add(6);
    expect([ring.firstIndex, ring.bytes, ring.points.length]).toEqual([1, 6 * CHUNK, 0]);
    add(7);
    expect([ring.firstIndex, ring.bytes]).toEqual([5, 3 * CHUNK]);
  });

  it('evicts at once when its limit becomes smaller, and keeps more when it becomes larger', () => {
    const ring = fullRing();
    ring.maxBytes = 4 * CHUNK;
    expect([ring.maxBytes, ring.bytes, ring.firstIndex, ring.points.length]).toEqual([4 * CHUNK, 4 * CHUNK, 96, 4]);
    ring.maxBytes = 6 * CHUNK;
    for (let index = 100; index < 110; index += 1) {
      ring.addPoint({ ...POINT, position: index * CHUNK });
      ring.append(frame(Buffer.alloc(CHUNK)), index, END_STATE);
    }
    expect([ring.bytes, ring.firstIndex]).toEqual([6 * CHUNK, 104]);
    const empty = new Ring({ maxBytes: CHUNK, maxSeconds: 60 });
    empty.maxBytes = 1;
    expect(empty.bytes).toBe(0);
  });

  it('keeps a chunk neither for a point after it nor for one in the chunk that is being built', () => {
    const next = new Ring({ maxBytes: 1.5 * CHUNK, maxSeconds: 60 });
    next.addPoint({ ...POINT, position: CHUNK });
    const pending = new Ring({ maxBytes: 1.5 * CHUNK, maxSeconds: 60 });
    pending.addPoint({ ...POINT, position: 0 });
    pending.addPoint({ ...POINT, position: 2 * CHUNK });
    for (const ring of [next, pending]) for (const at of [0, 1]) ring.append(frame(Buffer.alloc(CHUNK)), at, END_STATE);
    expect([next.firstIndex, next.bytes]).toEqual([1, CHUNK]);
    expect([pending.firstIndex, pending.bytes]).toEqual([0, 2 * CHUNK]);
  });

  it('keeps the point and the discontinuity at its very start, after every chunk', () => {
    const ring = new Ring({ maxBytes: 3 * CHUNK, maxSeconds: 60 });
    for (let index = 0; index < 9; index += 1) {
      ring.addPoint({ ...POINT, position: index * CHUNK });
      ring.addDiscontinuity(index * CHUNK);
      ring.append(frame(Buffer.alloc(CHUNK)), index, END_STATE);
      expect([ring.points[0].position, ring.discontinuities[0]]).toEqual([ring.startPosition, ring.startPosition]);
    }
    const single = new Ring({ maxBytes: 1, maxSeconds: 60 });
    single.addDiscontinuity(0);
    for (const at of [0, 1]) single.append(frame(Buffer.alloc(CHUNK)), at, END_STATE);
    expect(single.discontinuities).toEqual([]);
  });

  it('drops the points from a position on', () => {
    const ring = new Ring({ maxBytes: 3 * CHUNK, maxSeconds: 60 });
    for (const position of [100, 200, 300]) ring.addPoint({ ...POINT, position });
    ring.dropPointsFrom(200);
    expect(ring.points.map(({ position }) => position)).toEqual([100]);
  });

  it('is empty at first', () => {
    const { bytes, spanMs, bitrate, startPosition, firstIndex, nextIndex, endPosition } = new Ring({ maxBytes: 1, maxSeconds: 1 });
    expect([bytes, spanMs, startPosition, firstIndex, nextIndex, endPosition, bitrate]).toEqual([0, 0, 0, 0, 0, 0, null]);
  });

  it('evicts by time as well, but never its only chunk', () => {
    const ring = new Ring({ maxBytes: 100 * CHUNK, maxSeconds: 2 });
    for (const mediaMs of [0, 1000, 2000]) ring.append(frame(Buffer.alloc(CHUNK)), mediaMs, END_STATE);
    expect([ring.firstIndex, ring.spanMs]).toEqual([0, 2000]);
    ring.append(frame(Buffer.alloc(CHUNK)), 2001, END_STATE);
    expect([ring.firstIndex, ring.spanMs]).toEqual([1, 1001]);
    const small = new Ring({ maxBytes: 1, maxSeconds: 1 });
    small.append(frame(Buffer.alloc(CHUNK)), 0, END_STATE);
    expect([small.bytes, small.bitrate, small.nextIndex]).toEqual([CHUNK, null, 1]);
    small.append(frame(Buffer.alloc(2 * CHUNK)), 1, END_STATE);
    expect([small.bytes, small.startPosition, small.firstIndex, small.endPosition]).toEqual([2 * CHUNK, CHUNK, 1, 3 * CHUNK]);
  });

  it('knows the bitrate from the media after its first chunk', () => {
    const ring = new Ring({ maxBytes: 100 * CHUNK, maxSeconds: 60 });
    for (const mediaMs of [500, 1000, 1500]) ring.append(frame(Buffer.alloc(mediaMs === 500 ? 9000 : CHUNK)), mediaMs, END_STATE);
    expect([ring.bitrate, ring.firstChunkAfter(999)?.index, ring.firstChunkAfter(1000)?.index]).toEqual([16_000, 1, 2]);
    expect([ring.firstChunkAfter(1500)?.index, ring.firstChunkAfter(0)?.index]).toEqual([2, 0]);
  });

  it('finds the chunks that it holds, by index and by position, and no others', () => {
    const ring = fullRing();
    expect([ring.firstIndex, ring.nextIndex, ring.startPosition, ring.endPosition]).toEqual([90, 100, 90_000, 100_000]);
    expect([ring.chunk(89), ring.chunk(95)?.position, ring.chunk(100)]).toEqual([undefined, 95_000, undefined]);
    expect([ring.chunkAt(89_999), ring.chunkAt(95_999)?.index, ring.chunkAt(100_000)]).toEqual([undefined, 95, undefined]);
    expect(() => ring.bytesFrom(89_999)).toThrow(RangeError);
    expect([ring.chunkAt(95_000)?.index, ring.bytesFrom(95_400).length]).toEqual([95, 600]);
    const young = new Ring({ maxBytes: 10 * CHUNK, maxSeconds: 60 });
    young.append(frame(Buffer.alloc(CHUNK)), 0, END_STATE);
    expect([young.chunkAt(0)?.index, young.chunkAt(-1)]).toEqual([0, undefined]);
  });
});
