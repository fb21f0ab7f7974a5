import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NONE, PACKET_SIZE } from './packet.js';
import { WRAP_27M, WRAP_90K, distance, readPcr, readTimestamp, writePcr, writeTimestamp } from './timestamps.js';

describe('timestamps', () => {
  it('reads the PCR that was written, up to the wrap', () => {
    const packet = new Uint8Array(PACKET_SIZE);
    packet.set([0x47, 1, 0, 0x20, 183, 0x10]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: WRAP_27M - 1 }), (pcr) => {
        writePcr(packet, 0, pcr);
        expect(readPcr(packet, 0)).toBe(pcr);
      }),
    );
  });

  it('reads the PTS that was written and keeps the prefix and marker bits', () => {
    const bytes = new Uint8Array(5);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: WRAP_90K - 1 }), (pts) => {
        bytes[0] = 0x31;
        writeTimestamp(bytes, 0, pts);
        expect(readTimestamp(bytes, 0)).toBe(pts);
        expect([bytes[0] & 0xf1, bytes[2] & 1, bytes[4] & 1]).toEqual([0x31, 1, 1]);
      }),
    );
  });

  it('computes distances across the wrap', () => {
    expect(distance(WRAP_90K - 10, 10, WRAP_90K)).toBe(20);
    expect(distance(10, WRAP_90K - 10, WRAP_90K)).toBe(-20);
  });

  it('returns NONE for a packet without a PCR', () => {
    expect(readPcr(Uint8Array.of(0x47, 1, 0, 0x10), 0)).toBe(NONE);
  });
});
