import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTs } from '../../../../../test/support/ts-checker.js';
import {
  FakeSink,
  SyntheticStream,
  RecordingHooks,
  expectCleanStart,
  expectContinuousStream,
  packetsOf,
} from '../../../../../test/doubles/proxy/broadcast.fixture.js';
import {
  WatchedBroadcast,
  outputWithoutSwitch,
  withNulls,
  withOtherClock,
  withOtherCounters,
  withoutNulls,
} from '../../../../../test/doubles/proxy/splice.fixture.js';

/** 20 s: 500 frames of 24 packets. */
const STREAM = new SyntheticStream().frames(500);
const FRAME = 24 * 188;
const plain = outputWithoutSwitch(STREAM);

/** Cuts anywhere, also in the middle of a packet; the other source starts anywhere before the cut. */
const cuts = fc.record({
  cut: fc.integer({ min: 60 * FRAME, max: STREAM.length }),
  overlap: fc.integer({ min: 8 * FRAME, max: 150 * FRAME }),
  size: fc.integer({ min: 100, max: 50_000 }),
});

describe('a source with the same bytes', () => {
  it('continues the stream byte for byte, wherever the old one ends and the new one starts', () => {
    fc.assert(
      fc.property(cuts, ({ cut, overlap, size }) => {
        const watched = new WatchedBroadcast();
        watched.feed(STREAM.subarray(0, cut));
        const next = watched.switchTo(STREAM.subarray(Math.max(0, cut - overlap)), { size, ms: 0 });
        expect([next.state, next.kind]).toEqual(['spliced', 'exact']);
        expect(watched.finish().equals(plain)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('does so a hundred times in a row', () => {
    const watched = new WatchedBroadcast();
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

  it('may run beside the old one, which feeds the stream until the new one has caught up', () => {
    const watched = new WatchedBroadcast();
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

  it('that arrives before the first packet of the stream becomes the stream', () => {
    const watched = new WatchedBroadcast();
    expect(watched.switchTo(STREAM).kind).toBe('exact');
    expect(watched.finish().equals(plain)).toBe(true);
  });
});

describe('a source with other counters and fewer null packets', () => {
  it('continues the stream without an error; nothing is lost or repeated', () => {
    const stuffed = withNulls(STREAM, (packet) => (packet * 7) % 3);
    const whole = withoutNulls(outputWithoutSwitch(stuffed));
    fc.assert(
      fc.property(cuts, fc.nat({ max: 1000 }), ({ cut, overlap, size }, seed) => {
        const first = stuffed.subarray(0, cut - (cut % 188));
        const from = Math.max(0, cut - overlap - ((cut - overlap) % 188));
        const other = withoutNulls(withOtherCounters(stuffed.subarray(from), seed), (index) => (index * 31 + seed) % 2 === 0);
        const watched = new WatchedBroadcast();
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
    const watched = new WatchedBroadcast();
    let at = 30 * FRAME;
    watched.feed(STREAM.subarray(0, at));
    for (let round = 0; round < 40; round += 1) {
      const until = at + 10 * FRAME;
      const next = watched.switchTo(withOtherCounters(STREAM.subarray(at - 20 * FRAME, until), round));
      expect([round, next.kind]).toEqual([round, 'renumbered']);
      at = until;
    }
    expect(watched.finish().equals(outputWithoutSwitch(STREAM.subarray(0, at)))).toBe(true);
  });
});

describe('a source that lacks the end of the stream', () => {
  it('is entered at its first keyframe after a gap, on the clock of the stream', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 200 }), fc.integer({ min: 1, max: 200 }), fc.nat({ max: 23 }), (frames, hole, packet) => {
        const watched = new WatchedBroadcast();
        watched.feed(STREAM.subarray(0, frames * FRAME + packet * 188));
        const next = watched.switchTo(STREAM.subarray((frames + hole) * FRAME + packet * 188));
        expect([next.state, next.verdict, next.kind]).toEqual(['spliced', 'gap', 'keyframe']);
        expectNoFaults(watched.finish(), 1);
      }),
      { numRuns: 25 },
    );
  });

  it.each([3600, -20, 0.4, 26 * 3600])('with a clock %d s away is entered at its first keyframe', (seconds) => {
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, 300 * FRAME + 1000));
    const next = watched.switchTo(withOtherClock(new SyntheticStream({ videoPackets: 19 }).frames(700), seconds * 90_000));
    expect([next.state, next.kind]).toEqual(['spliced', 'keyframe']);
    expectNoFaults(watched.finish(), 1);
  });
});

describe('viewers during a switch', () => {
  const other = withOtherClock(new SyntheticStream({ videoPackets: 19 }).frames(500), 77_777);

  it('may join at any time after it and get one stream', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.constantFrom('keyframe', 'live', 'oldest'), (frames, joinMode) => {
        const watched = new WatchedBroadcast({ joinMode });
        watched.feed(STREAM.subarray(0, 100 * FRAME + 500));
        watched.switchTo(other.subarray(0, 30 * FRAME + frames * FRAME));
        const sink = new FakeSink();
        watched.broadcast.addViewer(sink, new RecordingHooks());
        watched.feed(other.subarray(30 * FRAME + frames * FRAME));
        expectNoFaults(watched.finish(), 1);
        expect(checkTs(sink.bytes).faults.filter(({ rule }) => rule !== 'pes-length')).toEqual([]);
        expectCleanStart(packetsOf(sink.bytes));
      }),
      { numRuns: 15 },
    );
  });

  it('may be blocked during it and skip it', () => {
    const watched = new WatchedBroadcast({ maxSeconds: 3 });
    watched.feed(STREAM.subarray(0, 100 * FRAME + 500));
    const sink = new FakeSink();
    const viewer = watched.broadcast.addViewer(sink, new RecordingHooks());
    sink.block();
    watched.feed(STREAM.subarray(100 * FRAME + 500, 110 * FRAME));
    watched.switchTo(other.subarray(0, 250 * FRAME));
    sink.unblock();
    watched.feed(other.subarray(250 * FRAME));
    expect(viewer.skips).toBe(1);
    expectNoFaults(watched.finish(), 1);
    expectContinuousStream(sink.bytes);
  });

  it('that lag still get the rest of the old source, then the new one', () => {
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, 100 * FRAME));
    const sink = new FakeSink();
    const viewer = watched.broadcast.addViewer(sink, new RecordingHooks());
    sink.block();
    watched.feed(STREAM.subarray(100 * FRAME, 200 * FRAME + 700));
    watched.switchTo(other.subarray(0, 100 * FRAME));
    sink.unblock();
    expect(viewer.skips).toBe(0);
    const all = watched.finish();
    expectNoFaults(all, 1);
    expect(sink.bytes.subarray(-1000 * 188).equals(all.subarray(-1000 * 188))).toBe(true);
  });
});

describe('over the wrap of the clocks', () => {
  const wrapping = new SyntheticStream({ clockStart: 2 ** 33 - 90_000 * 8 }).frames(500);

  it.each([150, 190, 200, 204, 210, 260])('a source is continued exactly, cut at frame %d (the clock wraps at 200)', (frame) => {
    const watched = new WatchedBroadcast();
    watched.feed(wrapping.subarray(0, frame * FRAME + 99));
    expect(watched.switchTo(wrapping.subarray((frame - 60) * FRAME)).kind).toBe('exact');
    expect(watched.finish().equals(outputWithoutSwitch(wrapping))).toBe(true);
  });

  it.each([150, 190, 200, 204, 210, 260])('a source with a gap is entered after it, cut at frame %d', (frame) => {
    const watched = new WatchedBroadcast();
    watched.feed(wrapping.subarray(0, frame * FRAME + 99));
    const next = watched.switchTo(wrapping.subarray((frame + 30) * FRAME));
    expect([next.verdict, next.kind]).toEqual(['gap', 'keyframe']);
    expectNoFaults(watched.finish(), 1);
  });
});

describe('a ring that is shorter than the overlap of the sources', () => {
  it('is enough: evicted packets are not compared', () => {
    const watched = new WatchedBroadcast({ maxSeconds: 1, maxBytes: 30 * FRAME });
    watched.feed(STREAM.subarray(0, 400 * FRAME + 77));
    const next = watched.switchTo(STREAM.subarray(20 * FRAME), { size: 40_000 });
    expect(next.kind).toBe('exact');
    expect(
      watched
        .finish()
        .subarray(-300 * FRAME)
        .equals(plain.subarray(-300 * FRAME)),
    ).toBe(true);
  });
});

describe('a source cut in the middle of a keyframe', () => {
  it('is followed by that keyframe of the next source', () => {
    const keyframe = find(STREAM, 300 * FRAME);
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, keyframe + 8 * 188));
    const next = watched.switchTo(withOtherPackets(STREAM.subarray(keyframe - 40 * FRAME)));
    expect([next.verdict, next.kind]).toEqual(['differs', 'keyframe']);
    const pictures = packetsOf(watched.finish()).filter(({ pts }) => pts !== null);
    const video = pictures.filter(({ pid }) => pid === 0x100).map(({ pts }) => pts ?? Number.NaN);
    expect(video.every((pts, index) => index === 0 || pts - video[index - 1] === 3600)).toBe(true);
  });
});

describe('any input', () => {
  it('throws no error, sends only whole packets, and the stream continues', () => {
    const damage = fc.array(fc.record({ at: fc.nat({ max: 150 * FRAME }), length: fc.nat({ max: 600 }), value: fc.nat({ max: 255 }) }), {
      maxLength: 12,
    });
    const script = fc.array(
      fc.record({
        what: fc.constantFrom('old', 'begin', 'new', 'abort', 'wait'),
        from: fc.nat({ max: 400 * FRAME }),
        length: fc.nat({ max: 60 * FRAME }),
        damage,
      }),
      { maxLength: 25 },
    );
    fc.assert(
      fc.property(script, (steps) => {
        const watched = new WatchedBroadcast({ maxSeconds: 4 });
        watched.feed(STREAM.subarray(0, 30 * FRAME));
        let next = watched.broadcast.beginSwitch();
        for (const { what, from, length, damage: ranges } of steps) {
          const bytes = Buffer.from(STREAM.subarray(from, from + length));
          for (const range of ranges)
            bytes
              .subarray(range.at % (length + 1))
              .subarray(0, range.length)
              .fill(range.value);
          if (what === 'old') watched.feed(bytes);
          else if (what === 'new') next.write(bytes);
          else if (what === 'begin') next = watched.broadcast.beginSwitch();
          else if (what === 'abort') next.abort();
          else watched.clock.advance(3000);
        }
        next.abort();
        const last = watched.switchTo(withOtherClock(STREAM, 7_777_777));
        // Damaged packets are passed on as they are, so only their sync bytes are checked.
        const sent = watched.finish();
        for (let at = 0; at < sent.length; at += 188) expect(sent[at]).toBe(0x47);
        expect([last.state, sent.length % 188, watched.hooks.ends]).toEqual(['spliced', 0, ['source-ended']]);
        expect(packetsOf(sent.subarray(-188 * 1000)).some(({ key }) => key)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });
});

describe('a source without a PCR', () => {
  it('is entered at a keyframe after 15 s', () => {
    const timeless = Buffer.from(STREAM);
    for (let at = 0; at < timeless.length; at += 188)
      if ((timeless[at + 3] & 0x20) > 0 && timeless[at + 4] === 7) timeless[at + 5] &= ~0x10;
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, 100 * FRAME));
    const next = watched.switchTo(timeless, { size: 4 * FRAME, ms: 160 });
    expect([next.verdict, next.kind]).toEqual(['other-clock', 'keyframe']);
    expect(next.searchMs).toBeGreaterThan(15_000);
    expect(next.searchMs).toBeLessThan(16_000);
  });
});

describe('a source that lags behind a source that is still written', () => {
  it('is entered after 15 s, when the old one has ended, at a keyframe that viewers do not have yet', () => {
    const watched = new WatchedBroadcast();
    const long = new SyntheticStream().frames(1000);
    let at = 200 * FRAME;
    watched.feed(long.subarray(0, at));
    const next = watched.broadcast.beginSwitch();
    for (let frame = 0; frame < 400; frame += 1, at += FRAME) {
      watched.broadcast.write(long.subarray(at, at + FRAME));
      next.write(long.subarray(at - 100 * FRAME, at - 99 * FRAME));
      watched.clock.advance(40);
    }
    expect([next.state, next.verdict]).toEqual(['searching', 'differs']);
    next.write(long.subarray(at - 100 * FRAME));
    expect(next.kind).toBe('keyframe');
    expectNoFaults(watched.finish(), 1);
  });
});

describe('during the search', () => {
  it('only null packets are sent, and the incomplete picture is held back', () => {
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, 100 * FRAME + 10 * 188));
    watched.clock.advance(300);
    const before = watched.sink.bytes.length;
    const next = watched.broadcast.beginSwitch();
    for (let second = 0; second < 8; second += 1) {
      next.write(STREAM.subarray(second * 188 * 20, (second + 1) * 188 * 20));
      watched.clock.advance(1000);
    }
    const wait = packetsOf(watched.sink.bytes.subarray(before));
    expect(new Set(wait.map(({ pid }) => pid))).toEqual(new Set([0x1fff]));
    expect(wait.length).toBeLessThanOrEqual(8 * 4);
    expect(next.state).toBe('searching');
    next.abort();
    watched.broadcast.write(STREAM.subarray(100 * FRAME + 10 * 188));
    expect(withoutNulls(watched.finish()).equals(withoutNulls(plain))).toBe(true);
  });

  it('an incomplete picture is also held back if a source continues for a moment only', () => {
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, 100 * FRAME + 10 * 188));
    watched.clock.advance(3000);
    const before = watched.sink.bytes.length;
    const next = watched.switchTo(STREAM.subarray(60 * FRAME, 100 * FRAME + 15 * 188), { ms: 0 });
    expect(next.kind).toBe('exact');
    watched.clock.advance(3000);
    expect(new Set(packetsOf(watched.sink.bytes.subarray(before)).map(({ pid }) => pid))).toEqual(new Set([0x1fff]));
    watched.switchTo(STREAM.subarray(80 * FRAME));
    expect(withoutNulls(watched.finish()).equals(withoutNulls(plain))).toBe(true);
  });

  it('the switch can be aborted or replaced', () => {
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, 100 * FRAME));
    const first = watched.broadcast.beginSwitch();
    first.write(STREAM.subarray(0, 20 * FRAME));
    const second = watched.broadcast.beginSwitch();
    first.write(STREAM.subarray(20 * FRAME, 120 * FRAME));
    expect([first.state, second.state]).toEqual(['aborted', 'searching']);
    second.write(STREAM.subarray(40 * FRAME));
    expect(second.kind).toBe('exact');
    second.abort();
    expect(second.state).toBe('spliced');
    expect(watched.finish().equals(plain)).toBe(true);
    const late = watched.broadcast.beginSwitch();
    expect(late.state).toBe('aborted');
  });

  it('the end of the stream aborts the switch', () => {
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, 100 * FRAME));
    const next = watched.broadcast.beginSwitch();
    next.write(STREAM.subarray(0, 20 * FRAME));
    watched.broadcast.end();
    next.write(STREAM.subarray(20 * FRAME));
    expect([next.state, watched.hooks.ends, watched.clock.pending]).toEqual(['aborted', ['source-ended'], 0]);
  });

  it('losses of the old source do not prevent an exact switch', () => {
    const watched = new WatchedBroadcast();
    const holes = [180 * FRAME, 190 * FRAME + 188 * 5, 195 * FRAME];
    let at = 0;
    for (const hole of holes) {
      watched.feed(STREAM.subarray(at, hole));
      at = hole + 188;
    }
    watched.feed(STREAM.subarray(at, 200 * FRAME));
    const next = watched.switchTo(STREAM.subarray(150 * FRAME));
    expect(next.kind).toBe('exact');
    expect(
      watched
        .finish()
        .subarray(-200 * FRAME)
        .equals(plain.subarray(-200 * FRAME)),
    ).toBe(true);
  });
});

/** The first packet of the first keyframe from `from` on. */
function find(bytes: Buffer, from: number): number {
  const start = from - (from % 188);
  return start + packetsOf(bytes.subarray(start, start + 60 * FRAME)).findIndex(({ key }) => key) * 188;
}

/** The same pictures and times with every PCR shifted by a millisecond, as another multiplexer sends them. */
function withOtherPackets(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 188)));
  for (let at = 0; at < copy.length; at += 188) {
    if ((copy[at + 3] & 0x20) > 0 && copy[at + 4] === 7) copy.writeUInt32BE(copy.readUInt32BE(at + 6) + 45, at + 6);
  }
  return copy;
}

/** No fault but one incomplete audio PES packet per splice at a keyframe. */
function expectNoFaults(output: Buffer, splices: number): void {
  const faults = checkTs(output).faults;
  const cutAudio = faults.filter(({ rule }) => rule === 'pes-length');
  expect(faults.filter((fault) => !cutAudio.includes(fault))).toEqual([]);
  expect(cutAudio.length).toBeLessThanOrEqual(splices);
  expect(packetsOf(output).length).toBeGreaterThan(0);
}
