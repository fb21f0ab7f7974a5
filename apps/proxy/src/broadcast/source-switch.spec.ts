import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTs } from '../../../../test/support/ts-checker.js';
import { MadeStream, packetsOf } from './broadcast.test-kit.js';
import { Watched, undisturbed, withNulls, withOtherClock, withOtherCounters, withoutNulls } from './switching.test-kit.js';

/** 20 s: 500 frames of 24 packets. */
const STREAM = new MadeStream().frames(500);
const FRAME = 24 * 188;
const plain = undisturbed(STREAM);

/** Cut anywhere, also in the middle of a packet; the other source begins anywhere before that. */
const cuts = fc.record({
  cut: fc.integer({ min: 60 * FRAME, max: STREAM.length }),
  overlap: fc.integer({ min: 3 * FRAME, max: 150 * FRAME }),
  size: fc.integer({ min: 100, max: 50_000 }),
});

describe('a source with the same bytes', () => {
  it('continues the stream byte for byte, wherever the old one broke and the new one begins', () => {
    fc.assert(
      fc.property(cuts, ({ cut, overlap, size }) => {
        const watched = new Watched();
        watched.feed(STREAM.subarray(0, cut));
        const next = watched.switchTo(STREAM.subarray(Math.max(0, cut - overlap)), { size, ms: 0 });
        expect([next.state, next.kind]).toEqual(['spliced', 'exact']);
        expect(watched.finish().equals(plain)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('does so a hundred times in a row', () => {
    const watched = new Watched();
    let at = 30 * FRAME;
    watched.feed(STREAM.subarray(0, at));
    for (let round = 0; round < 100; round += 1) {
      const until = at + 4 * FRAME + ((round * 131) % 700);
      const next = watched.switchTo(STREAM.subarray(at - 20 * FRAME - ((round * 57) % 1000), until));
      expect([round, next.kind]).toEqual([round, 'exact']);
      at = until;
    }
    watched.broadcast.write(STREAM.subarray(at));
    expect(watched.finish().equals(plain)).toBe(true);
  });

  it('may run beside the old one, which is taken in until the new one has caught up', () => {
    const watched = new Watched();
    const cut = 200 * FRAME;
    watched.feed(STREAM.subarray(0, cut));
    const next = watched.broadcast.beginSwitch();
    let behind = cut - 90 * FRAME;
    let old = cut;
    while (next.state === 'searching') {
      next.write(STREAM.subarray(behind, behind + 4 * FRAME));
      behind += 4 * FRAME;
      if (next.state === 'searching') watched.broadcast.write(STREAM.subarray(old, (old += FRAME)));
      watched.clock.advance(40);
    }
    watched.feed(STREAM.subarray(behind));
    expect(next.kind).toBe('exact');
    expect(watched.finish().equals(plain)).toBe(true);
  });

  it('that comes before the first packet of the stream is the stream', () => {
    const watched = new Watched();
    expect(watched.switchTo(STREAM).kind).toBe('exact');
    expect(watched.finish().equals(plain)).toBe(true);
  });
});

describe('a source with the same pictures under other counters, some of its nulls left out', () => {
  it('continues the stream without a break, nothing lost and nothing repeated', () => {
    const stuffed = withNulls(STREAM, (packet) => (packet * 7) % 3);
    const whole = withoutNulls(undisturbed(stuffed));
    fc.assert(
      fc.property(cuts, fc.nat({ max: 1000 }), ({ cut, overlap, size }, seed) => {
        const first = stuffed.subarray(0, cut - (cut % 188));
        const from = Math.max(0, cut - overlap - ((cut - overlap) % 188));
        const other = withoutNulls(withOtherCounters(stuffed.subarray(from), seed), (index) => (index * 31 + seed) % 2 === 0);
        const watched = new Watched();
        watched.feed(first);
        const next = watched.switchTo(other, { size, ms: 0 });
        expect([next.state, next.kind]).toEqual(['spliced', 'renumbered']);
        const output = watched.finish();
        expect(checkTs(output).faults).toEqual([]);
        expect(withoutNulls(output).equals(whole)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('does so many times in a row', () => {
    const watched = new Watched();
    let at = 30 * FRAME;
    watched.feed(STREAM.subarray(0, at));
    for (let round = 0; round < 40; round += 1) {
      const until = at + 10 * FRAME;
      const next = watched.switchTo(withOtherCounters(STREAM.subarray(at - 20 * FRAME, until), round));
      expect([round, next.kind]).toEqual([round, 'renumbered']);
      at = until;
    }
    expect(watched.finish().equals(undisturbed(STREAM.subarray(0, at)))).toBe(true);
  });
});

describe('a source that does not have the place', () => {
  it('behind a hole is entered at its first keyframe, on the stream’s own clock', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 200 }), fc.integer({ min: 1, max: 200 }), fc.nat({ max: 23 }), (frames, hole, packet) => {
        const watched = new Watched();
        watched.feed(STREAM.subarray(0, frames * FRAME + packet * 188));
        const next = watched.switchTo(STREAM.subarray((frames + hole) * FRAME + packet * 188));
        expect([next.state, next.verdict, next.kind]).toEqual(['spliced', 'gap', 'keyframe']);
        expectWhole(watched.finish(), 1);
      }),
      { numRuns: 40 },
    );
  });

  it.each([3600, -20, 0.4, 26 * 3600])('on a clock %d s away is entered at its first keyframe', (seconds) => {
    const watched = new Watched();
    watched.feed(STREAM.subarray(0, 300 * FRAME + 1000));
    const next = watched.switchTo(withOtherClock(new MadeStream({ videoPackets: 19 }).frames(700), seconds * 90_000));
    expect([next.state, next.kind]).toEqual(['spliced', 'keyframe']);
    expectWhole(watched.finish(), 1);
  });
});

/** No breach but one unfinished PES of sound for each splice at a keyframe. */
function expectWhole(output: Buffer, splices: number): void {
  const faults = checkTs(output).faults;
  const cutSound = faults.filter(({ rule }) => rule === 'pes-length');
  expect(faults.filter((fault) => !cutSound.includes(fault))).toEqual([]);
  expect(cutSound.length).toBeLessThanOrEqual(splices);
  expect(packetsOf(output).length).toBeGreaterThan(0);
}
