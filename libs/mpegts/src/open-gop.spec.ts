import { describe, expect, it } from 'vitest';
import { BrokenLinkMarker, LeadingPictureFilter } from './open-gop.js';
import { PacketRewriter, NO_CHANGE } from './packet-rewriter.js';
import { PACKET_SIZE, continuityCounter } from './packet.js';
import { writeTimestamp } from './timestamps.js';

const PID = 0x100;

/** A picture in packets with `perPacket` bytes each; the first one has the counter `counter`. */
function picture(pts: number, bytes: readonly number[], counter = 0, perPacket = 170): Buffer {
  const header = [0, 0, 1, 0xe0, 0, 0, 0x84, 0x80, 5, 0x21, 0, 1, 0, 1];
  writeTimestamp(header as unknown as Uint8Array, 9, pts);
  const all = [...header, ...bytes];
  const packets: Buffer[] = [];
  for (let at = 0; at < all.length; at += perPacket) {
    const part = all.slice(at, at + perPacket);
    const packet = Buffer.alloc(PACKET_SIZE, 0xff);
    packet.set([
      0x47,
      (at === 0 ? 0x40 : 0) | (PID >> 8),
      PID & 0xff,
      0x30 | ((counter + packets.length) & 15),
      PACKET_SIZE - 5 - part.length,
      0,
    ]);
    packet.set(part, PACKET_SIZE - part.length);
    packets.push(packet);
  }
  return Buffer.concat(packets);
}

const nal = (type: number): number[] => [0, 0, 1, (type << 1) | 0x80, 0x01, 0xaf];

describe('a CRA picture that is entered after a cut', () => {
  it('has every slice renamed, wherever packets split it, and nothing else', () => {
    for (let perPacket = 14; perPacket < 60; perPacket += 1) {
      const make = (cra: number): Buffer =>
        picture(9000, [...nal(35), ...nal(32), ...nal(cra), 0, 0, 3, 21 << 1, ...nal(cra), ...nal(39)], 0, perPacket);
      const packets = make(21);
      const marker = new BrokenLinkMarker();
      for (let at = 0; at < packets.length; at += PACKET_SIZE) marker.mark(packets, at);
      expect([perPacket, packets.equals(make(16))]).toEqual([perPacket, true]);
    }
  });

  it('is the only one that is renamed', () => {
    const marker = new BrokenLinkMarker();
    marker.mark(picture(9000, nal(21)), 0);
    const later = picture(12_600, nal(21));
    marker.mark(later, 0);
    expect(marker.done).toBe(true);
    expect(later.equals(picture(12_600, nal(21)))).toBe(true);
  });
});

describe('leading pictures', () => {
  it('are dropped up to the first picture that is shown after the entry, and the counters stay continuous', () => {
    // In decoding order: I, two B shown before it, P, two B shown after it.
    const times = [20_000, 12_800, 16_400, 30_800, 23_600, 27_200];
    const filter = new LeadingPictureFilter();
    const rewriter = new PacketRewriter(NO_CHANGE, new Map([[PID, 12]]));
    const kept: number[] = [];
    const counters: number[] = [];
    let counter = 13;
    for (const time of times) {
      const packets = picture(time, Array<number>(300).fill(0x22), counter);
      for (let at = 0; at < packets.length; at += PACKET_SIZE) {
        counter += 1;
        if (!filter.passes(packets, at)) {
          rewriter.drop(packets, at);
          continue;
        }
        rewriter.rewrite(packets, at);
        if (at === 0) kept.push(time);
        counters.push(continuityCounter(packets, at));
      }
    }
    expect(kept).toEqual([20_000, 30_800, 23_600, 27_200]);
    expect(counters).toEqual(counters.map((_, index) => (13 + index) & 15));
  });
});
