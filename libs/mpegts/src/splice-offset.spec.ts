import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ContinuitySnapshot, ContinuityState } from './continuity-state.js';
import { PacketRewriter } from './packet-rewriter.js';
import { NONE, PACKET_SIZE, continuityCounter } from './packet.js';
import { FirstTimestamps, spliceOffset } from './splice-offset.js';

import { WRAP_27M, WRAP_90K, distance, readDts, readPcr, wrapped, writePcr, writeTimestamp } from './timestamps.js';

const VIDEO = 0x100;

/** A PES start with PTS, DTS and PCR. */
function unit(pid: number, counter: number, dts: number, pcr: number): Buffer {
  const packet = Buffer.alloc(PACKET_SIZE, 0xff);
  packet.set([0x47, 0x40 | (pid >> 8), pid & 0xff, 0x30 | counter, 7, 0x10]);
  writePcr(packet, 0, wrapped(pcr, WRAP_27M));
  packet.set([0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10, 0x31, 0, 0, 0, 0, 0x11, 0, 0, 0, 0], 12);
  writeTimestamp(packet, 21, wrapped(dts + 3600, WRAP_90K));
  writeTimestamp(packet, 26, wrapped(dts, WRAP_90K));
  return packet;
}

function played(units: readonly Buffer[]): ContinuityState {
  const state = new ContinuityState();
  for (const packet of units) state.observe(packet, 0, packet.length);
  return state;
}

/** Makes `packets` continue `last`. */
function restamp(packets: readonly Buffer[], last: ContinuitySnapshot, offset: number): void {
  const rewriter = new PacketRewriter({ offset, pids: new Map() }, last.counters);
  for (const packet of packets) rewriter.rewrite(packet, 0);
}

const time = fc.integer({ min: 0, max: WRAP_90K - 1 });

describe('a re-stamped section', () => {
  it('continues one unit after the last, whatever both clocks are', () => {
    fc.assert(
      fc.property(time, time, fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 15 }), (from, to, counter, nextCounter) => {
        const old = [0, 1, 2].map((index) =>
          unit(VIDEO, (counter + index) & 15, wrapped(from + index * 3600, WRAP_90K), (from + index * 3600 - 9000) * 300),
        );
        const next = [0, 1].map((index) =>
          unit(VIDEO, (nextCounter + index) & 15, wrapped(to + index * 3600, WRAP_90K), (to + index * 3600 - 9000) * 300),
        );
        const last = played(old).snapshot();
        const first = new FirstTimestamps();
        first.read(next[0], 0);
        expect(first.hasFound(1)).toBe(true);
        restamp(next, last, spliceOffset(last, first));
        const all = [...old, ...next];
        for (let index = 1; index < all.length; index += 1) {
          expect(distance(readDts(all[index - 1], 0), readDts(all[index], 0), WRAP_90K)).toBe(3600);
          expect(distance(readPcr(all[index - 1], 0), readPcr(all[index], 0), WRAP_27M)).toBe(3600 * 300);
          expect(continuityCounter(all[index], 0)).toBe((continuityCounter(all[index - 1], 0) + 1) & 15);
        }
      }),
    );
  });

  it('has the largest offset that any PID needs, so that no PID goes back', () => {
    const last = {
      counters: new Map(),
      pcr: NONE,
      clocks: [
        { pid: 1, lastDts: 1000, latestPts: 1000, unit: 100 },
        { pid: 2, lastDts: 2000, latestPts: 2000, unit: 50 },
      ],
    };
    const next = {
      units: new Map([
        [1, { dts: 500, pts: 500 }],
        [2, { dts: 700, pts: 700 }],
      ]),
      pcr: NONE,
    };
    expect(spliceOffset(last, next)).toBe(1350);
  });

  it('shows no picture before those already shown: with reordered pictures the latest PTS counts', () => {
    const last = { counters: new Map(), pcr: NONE, clocks: [{ pid: 1, lastDts: 36_000, latestPts: 50_400, unit: 3600 }] };
    expect(spliceOffset(last, { units: new Map([[1, { dts: 90_000, pts: 97_200 }]]), pcr: NONE })).toBe(wrapped(54_000 - 97_200, WRAP_90K));
  });

  it('does not let the PCR go back', () => {
    const last = { counters: new Map(), pcr: 9_000_000 * 300, clocks: [{ pid: 1, lastDts: 9_010_000, latestPts: 9_010_000, unit: 3600 }] };
    expect(spliceOffset(last, { units: new Map([[1, { dts: 50_000, pts: 50_000 }]]), pcr: 20_000 * 300 })).toBe(8_980_001);
  });

  it('has no offset if nothing is known', () => {
    expect(spliceOffset(new ContinuityState().snapshot(), { units: new Map(), pcr: NONE })).toBe(0);
  });

  it('keeps the losses of its source: a missing counter stays missing', () => {
    const next = [unit(VIDEO, 9, 3600, 9000), unit(VIDEO, 11, 7200, 9000)];
    restamp(next, played([unit(VIDEO, 4, 0, 9000)]).snapshot(), 0);
    expect(next.map((packet) => continuityCounter(packet, 0))).toEqual([5, 7]);
  });

  it('repeats the counter in a packet without payload', () => {
    const clock = Buffer.alloc(PACKET_SIZE, 0xff);
    clock.set([0x47, VIDEO >> 8, VIDEO & 0xff, 0x20 | 12, 183, 0]);
    const next = [clock, unit(VIDEO, 13, 3600, 9000)];
    restamp(next, played([unit(VIDEO, 4, 0, 9000)]).snapshot(), 0);
    expect(next.map((packet) => continuityCounter(packet, 0))).toEqual([4, 5]);
  });
});
