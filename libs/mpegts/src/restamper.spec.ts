import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_SIZE, continuityCounter } from './packet.js';
import { Restamper, spliceOffset } from './restamper.js';
import { StreamState, decodingTimeOf, presentationTimeOf } from './stream-state.js';
import { NONE, WRAP_27M, WRAP_90K, distance, readPcr, wrapped, writePcr, writeTimestamp } from './timestamps.js';

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

function played(units: readonly Buffer[]): StreamState {
  const state = new StreamState();
  for (const packet of units) state.observe(packet, 0);
  return state;
}

const time = fc.integer({ min: 0, max: WRAP_90K - 1 });

describe('a restamped piece', () => {
  it('goes on one unit after the last, wherever both clocks stand', () => {
    fc.assert(
      fc.property(time, time, fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 15 }), (from, to, counter, nextCounter) => {
        const old = [0, 1, 2].map((index) =>
          unit(VIDEO, (counter + index) & 15, wrapped(from + index * 3600, WRAP_90K), (from + index * 3600 - 9000) * 300),
        );
        const next = [0, 1].map((index) =>
          unit(VIDEO, (nextCounter + index) & 15, wrapped(to + index * 3600, WRAP_90K), (to + index * 3600 - 9000) * 300),
        );
        const restamper = new Restamper(played(old).snapshot());
        restamper.splice(
          spliceOffset(restamper.snapshot(), {
            units: new Map([[VIDEO, { dts: decodingTimeOf(next[0], 0), pts: presentationTimeOf(next[0], 0) }]]),
            pcr: readPcr(next[0], 0),
          }),
        );
        const all = [...old, ...next];
        for (const packet of next) restamper.restamp(packet, 0, PACKET_SIZE);
        for (let index = 1; index < all.length; index += 1) {
          expect(distance(decodingTimeOf(all[index - 1], 0), decodingTimeOf(all[index], 0), WRAP_90K)).toBe(3600);
          expect(distance(readPcr(all[index - 1], 0), readPcr(all[index], 0), WRAP_27M)).toBe(3600 * 300);
          expect(continuityCounter(all[index], 0)).toBe((continuityCounter(all[index - 1], 0) + 1) & 15);
        }
      }),
    );
  });

  it('lets no PID run back where their distances differ: the offset is the largest any of them needs', () => {
    const last = {
      counters: [],
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

  it('shows nothing before what has been shown: where pictures are reordered the latest PTS counts', () => {
    const last = { counters: [], pcr: NONE, clocks: [{ pid: 1, lastDts: 36_000, latestPts: 50_400, unit: 3600 }] };
    expect(spliceOffset(last, { units: new Map([[1, { dts: 90_000, pts: 97_200 }]]), pcr: NONE })).toBe(wrapped(54_000 - 97_200, WRAP_90K));
  });

  it('lets the PCR not run back either', () => {
    const last = { counters: [], pcr: 9_000_000 * 300, clocks: [{ pid: 1, lastDts: 9_010_000, latestPts: 9_010_000, unit: 3600 }] };
    expect(spliceOffset(last, { units: new Map([[1, { dts: 50_000, pts: 50_000 }]]), pcr: 20_000 * 300 })).toBe(8_980_001);
  });

  it('has no offset where nothing is known', () => {
    expect(spliceOffset(new StreamState().snapshot(), { units: new Map(), pcr: NONE })).toBe(0);
  });

  it('keeps the losses of its source: a counter that is missing is missing still', () => {
    const restamper = new Restamper(played([unit(VIDEO, 4, 0, 9000)]).snapshot());
    restamper.splice(0);
    const next = [unit(VIDEO, 9, 3600, 9000), unit(VIDEO, 11, 7200, 9000)];
    for (const packet of next) restamper.restamp(packet, 0, PACKET_SIZE);
    expect(next.map((packet) => continuityCounter(packet, 0))).toEqual([5, 7]);
  });

  it('repeats the counter in a packet without payload', () => {
    const restamper = new Restamper(played([unit(VIDEO, 4, 0, 9000)]).snapshot());
    restamper.splice(0);
    const clock = Buffer.alloc(PACKET_SIZE, 0xff);
    clock.set([0x47, VIDEO >> 8, VIDEO & 0xff, 0x20 | 12, 183, 0]);
    const next = [clock, unit(VIDEO, 13, 3600, 9000)];
    for (const packet of next) restamper.restamp(packet, 0, PACKET_SIZE);
    expect(next.map((packet) => continuityCounter(packet, 0))).toEqual([4, 5]);
  });
});
