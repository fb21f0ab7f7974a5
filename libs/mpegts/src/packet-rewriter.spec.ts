import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NULL_PID, PACKET_SIZE, continuityCounter, pidOf } from './packet.js';
import { NO_CHANGE, PacketRewriter } from './packet-rewriter.js';
import { WRAP_27M, WRAP_90K, readPcr, readTimestamp, writePcr, writeTimestamp } from './timestamps.js';

function packet(pid: number, counter: number, payload = true): Buffer {
  const bytes = Buffer.alloc(PACKET_SIZE, 0xff);
  bytes.set([0x47, pid >> 8, pid & 0xff, (payload ? 0x10 : 0x20) | counter]);
  if (!payload) bytes.set([183, 0], 4);
  return bytes;
}

describe('a rewritten source', () => {
  it('continues the counters of every PID, whatever is dropped', () => {
    const script = fc.array(fc.record({ pid: fc.integer({ min: 0x100, max: 0x102 }), payload: fc.boolean(), dropped: fc.boolean() }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(script, fc.nat({ max: 15 }), fc.nat({ max: 15 }), (packets, last, first) => {
        const rewriter = new PacketRewriter(NO_CHANGE, new Map([0x100, 0x101, 0x102].map((pid) => [pid, last])));
        const own = new Map([0x100, 0x101, 0x102].map((pid) => [pid, first]));
        const out = new Map([0x100, 0x101, 0x102].map((pid) => [pid, last]));
        for (const { pid, payload, dropped } of packets) {
          const counter = ((own.get(pid) ?? 0) + (payload ? 1 : 0)) & 15;
          own.set(pid, counter);
          const bytes = packet(pid, counter, payload);
          if (dropped) {
            rewriter.drop(bytes, 0);
            continue;
          }
          rewriter.rewrite(bytes, 0);
          const due = ((out.get(pid) ?? 0) + (payload ? 1 : 0)) & 15;
          expect(continuityCounter(bytes, 0)).toBe(due);
          out.set(pid, due);
        }
      }),
    );
  });

  it('counts a duplicate packet once, dropped or not', () => {
    const rewriter = new PacketRewriter(NO_CHANGE, new Map([[0x100, 3]]));
    const out: number[] = [];
    for (const [counter, dropped] of [
      [7, false],
      [8, true],
      [8, true],
      [9, true],
      [10, false],
      [10, false],
      [11, false],
    ] as const) {
      const bytes = packet(0x100, counter);
      if (dropped) rewriter.drop(bytes, 0);
      else {
        rewriter.rewrite(bytes, 0);
        out.push(continuityCounter(bytes, 0));
      }
    }
    expect(out).toEqual([4, 5, 5, 6]);
  });

  it('keeps the counters of a PID that is new', () => {
    const bytes = packet(0x300, 9);
    new PacketRewriter(NO_CHANGE, new Map()).rewrite(bytes, 0);
    expect(continuityCounter(bytes, 0)).toBe(9);
  });

  it('continues the counters of other PIDs and does not change null packets', () => {
    const rewriter = new PacketRewriter({ offset: 0, pids: new Map([[0x200, 0x100]]) }, new Map([[0x100, 15]]));
    const bytes = packet(0x200, 4);
    rewriter.rewrite(bytes, 0);
    expect([pidOf(bytes, 0), continuityCounter(bytes, 0)]).toEqual([0x100, 0]);
    const filler = packet(NULL_PID, 7);
    const before = Buffer.from(filler);
    rewriter.rewrite(filler, 0);
    expect(filler).toEqual(before);
  });

  it('adds one offset to all clocks, also over the wrap', () => {
    const bytes = packet(0x100, 0);
    bytes.set([0x47, 0x41, 0x00, 0x30, 7, 0x10]);
    writePcr(bytes, 0, WRAP_27M - 300 * 100 + 7);
    bytes.set([0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x31, 0, 1, 0, 1, 0x11, 0, 1, 0, 1], 12);
    writeTimestamp(bytes, 21, WRAP_90K - 50);
    writeTimestamp(bytes, 26, WRAP_90K - 70);
    new PacketRewriter({ offset: 120, pids: new Map() }, new Map()).rewrite(bytes, 0);
    expect([readPcr(bytes, 0), readTimestamp(bytes, 21), readTimestamp(bytes, 26)]).toEqual([300 * 20 + 7, 70, 50]);
  });
});
