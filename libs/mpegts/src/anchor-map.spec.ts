import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnchorMap } from './anchor-map.js';
import { CLOCK_27M, NONE, PACKET_SIZE } from './packet.js';
import { WRAP_27M, wrapped, writePcr } from './timestamps.js';

/** Ticks of 27 MHz from one PCR to the next: 31 ms. */
const STEP = (CLOCK_27M * 31) / 1000;

function packet(pcr: number, { counter = 0, fill = 0 } = {}): Buffer {
  const bytes = Buffer.alloc(PACKET_SIZE, fill);
  bytes.set([0x47, 0x01, 0x00, 0x30 | counter, 7, 0x10]);
  writePcr(bytes, 0, pcr);
  return bytes;
}

/** PCRs at a distance of `STEP`; the one with number n has the position n. */
function filled(count: number, start = 0): AnchorMap {
  const anchors = new AnchorMap();
  for (let index = 0; index < count; index += 1) {
    const pcr = wrapped(start + index * STEP, WRAP_27M);
    anchors.add(packet(pcr), 0, pcr, index);
  }
  return anchors;
}

describe('anchors', () => {
  it('are found again with any counter, also over the wrap of the clock', () => {
    fc.assert(
      fc.property(fc.nat({ max: 900 }), fc.nat({ max: 15 }), fc.integer({ min: 0, max: 1000 }), (which, counter, before) => {
        const start = WRAP_27M - before * STEP;
        const pcr = wrapped(start + which * STEP, WRAP_27M);
        expect(filled(1000, start).positionOf(packet(pcr, { counter }), 0, pcr)).toBe(which);
      }),
      { numRuns: 50 },
    );
  });

  it('are not found if anything but the counter differs', () => {
    const anchors = filled(100);
    expect(anchors.positionOf(packet(50 * STEP, { fill: 1 }), 0, 50 * STEP)).toBe(NONE);
    expect(anchors.positionOf(packet(50 * STEP + 1), 0, 50 * STEP + 1)).toBe(NONE);
    expect(anchors.positionOf(packet(100 * STEP), 0, 100 * STEP)).toBe(NONE);
    expect(new AnchorMap().positionOf(packet(0), 0, 0)).toBe(NONE);
  });

  it('cover a minute at the usual PCR interval, and 40 s at any interval', () => {
    expect(filled(5000).span / CLOCK_27M).toBeGreaterThan(60);
    const close = new AnchorMap();
    for (let pcr = 0; pcr < 100 * CLOCK_27M; pcr += CLOCK_27M / 1000) close.add(packet(pcr), 0, pcr, pcr);
    expect(close.span / CLOCK_27M).toBeGreaterThan(40);
  });

  it('tell where a PCR of another source is relative to the stream', () => {
    const anchors = filled(1000, WRAP_27M - 500 * STEP);
    const at = (seconds: number): string => anchors.relationOf(wrapped(anchors.newestPcr + seconds * CLOCK_27M, WRAP_27M));
    expect([at(0.01), at(59), at(61), at(0), at(-30), at(-31), at(-60), at(-62), at(40_000)]).toEqual([
      'after',
      'after',
      'far',
      'within',
      'within',
      'before',
      'before',
      'far',
      'far',
    ]);
    expect(new AnchorMap().relationOf(0)).toBe('far');
  });

  it('start again after a PCR discontinuity', () => {
    for (const step of [-5, 11]) {
      const anchors = filled(100);
      const pcr = wrapped(99 * STEP + step * CLOCK_27M, WRAP_27M);
      anchors.add(packet(pcr), 0, pcr, 100);
      expect([anchors.span, anchors.newestPcr]).toEqual([0, pcr]);
    }
  });

  it('are not made from a PCR that goes back a little, and the others stay', () => {
    const anchors = filled(100);
    anchors.add(packet(98 * STEP + 5), 0, 98 * STEP + 5, 100);
    anchors.add(packet(100 * STEP), 0, 100 * STEP, 101);
    expect([anchors.span, anchors.positionOf(packet(100 * STEP), 0, 100 * STEP)]).toEqual([100 * STEP, 101]);
  });
});
