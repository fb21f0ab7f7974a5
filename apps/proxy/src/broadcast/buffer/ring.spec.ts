import { NONE, type Program } from '@acexy/mpegts';
import { describe, expect, it } from 'vitest';
import { frame } from './framed-bytes.js';
import { Ring } from './ring.js';

const CHUNK = 1000;
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

  it('finds the chunks that it holds, by index and by position, and no others', () => {
    const ring = fullRing();
    expect([ring.firstIndex, ring.nextIndex, ring.startPosition, ring.endPosition]).toEqual([90, 100, 90_000, 100_000]);
    expect([ring.chunk(89), ring.chunk(95)?.position, ring.chunk(100)]).toEqual([undefined, 95_000, undefined]);
    expect([ring.chunkAt(89_999), ring.chunkAt(95_999)?.index, ring.chunkAt(100_000)]).toEqual([undefined, 95, undefined]);
    expect(() => ring.bytesFrom(89_999)).toThrow(RangeError);
  });
});
