import { NONE, pesOffset, pidOf } from '@acexy/mpegts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTs } from '../../../../../test/support/ts-checker.js';
import { AUDIO_PID, FakeSink, RecordingHooks, SyntheticStream, VIDEO_PID } from '../../../../../test/doubles/proxy/broadcast.fixture.js';
import {
  WatchedBroadcast,
  outputWithoutSwitch,
  split,
  withOtherClock,
  withoutNulls,
} from '../../../../../test/doubles/proxy/splice.fixture.js';

const STREAM = new SyntheticStream().frames(500);
const FRAME = 24 * 188;
const plain = outputWithoutSwitch(STREAM);

const clockFaults = (output: Buffer) => checkTs(output).faults.filter(({ rule }) => rule !== 'pes-length');
const packetsOn = (pid: number, output: Buffer): Buffer => Buffer.concat(split(output, 188).filter((packet) => pidOf(packet, 0) === pid));
const wholePackets = (at: number): number => at - (at % 188);

/** Keeps one PCR of `every`. */
function withRarePcrs(stream: Buffer, every: number): Buffer {
  const copy = Buffer.from(stream);
  let count = 0;
  for (let at = 0; at < copy.length; at += 188) {
    const hasClock = (copy[at + 3] & 0x20) > 0 && copy[at + 4] === 7;
    if (hasClock && count++ % every !== 0) copy[at + 5] &= ~0x10;
  }
  return copy;
}

/** With the length of each audio PES packet in its header, so that an unfinished one is recognised. */
function withAudioLengths(stream: Buffer): Buffer {
  const copy = Buffer.from(stream);
  for (let at = 0; at < copy.length; at += 188) {
    if (pidOf(copy, at) === AUDIO_PID && pesOffset(copy, at) !== NONE) copy.writeUInt16BE(3 * 184 - 6, pesOffset(copy, at) + 4);
  }
  return copy;
}

describe('a source', () => {
  it('that repeats a part and then continues loses and repeats nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 150, max: 300 }), fc.nat({ max: FRAME }), fc.integer({ min: 20, max: 140 }), (frames, more, back) => {
        const cut = wholePackets(frames * FRAME + more);
        const watched = new WatchedBroadcast();
        watched.feed(STREAM.subarray(0, cut));
        watched.feed(STREAM.subarray(cut - back * FRAME), { ms: 5 });
        const output = watched.finish();
        expect(clockFaults(output)).toEqual([]);
        const { splices } = watched.broadcast.snapshot();
        // It cannot be exact if the packets after the last PCR have already been sent.
        if (splices.exact === 1) expect(output.equals(plain)).toBe(true);
        else expect(splices.keyframe).toBe(1);
      }),
      { numRuns: 40 },
    );
  });

  it('that repeats itself forever is not sent again, counts as looping, and the next one continues exactly', () => {
    const cut = wholePackets(200 * FRAME + 3000);
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, cut));
    const before = watched.sink.bytes.length;
    for (let round = 0; round < 5; round += 1) watched.feed(STREAM.subarray(cut - 100 * FRAME, cut), { ms: 100 });
    watched.feed(STREAM.subarray(cut - 100 * FRAME, cut - 3 * FRAME), { ms: 100 });
    const { repeats, bytesSincePcrAdvance } = watched.broadcast.snapshot();
    expect(repeats).toBeGreaterThanOrEqual(30);
    expect(bytesSincePcrAdvance).toBeGreaterThan(90 * FRAME);
    expect(watched.sink.bytes.length - before).toBeLessThan(20 * FRAME);
    // Bytes arrive, but none for the viewers: null packets prevent read time-outs.
    const quiet = watched.sink.bytes.subarray(before);
    const nulls = Array.from({ length: quiet.length / 188 }, (_, packet) => pidOf(quiet, packet * 188)).filter((pid) => pid === 0x1fff);
    expect(nulls.length).toBeGreaterThanOrEqual(30);
    expect(nulls.length).toBeLessThanOrEqual(54);
    expect(watched.switchTo(STREAM.subarray(cut - 40 * FRAME), { ms: 0 }).kind).toBe('exact');
    expect(
      watched
        .finish()
        .subarray(-250 * FRAME)
        .equals(plain.subarray(-250 * FRAME)),
    ).toBe(true);
  });

  it.each([3600, -30, 20, -2])('whose PCR jumps by %d s to other content continues on the old clock', (seconds) => {
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, wholePackets(300 * FRAME + 1000)));
    const other = withOtherClock(new SyntheticStream({ videoPackets: 19, clockStart: 900_000 + 312 * 3600 }).frames(700), seconds * 90_000);
    watched.feed(other, { ms: 10 });
    expect(watched.broadcast.snapshot().splices).toEqual({ exact: 0, renumbered: 0, keyframe: 1 });
    expect(clockFaults(watched.finish())).toEqual([]);
  });

  it('whose PCR jumps cuts off no viewer, whenever it joined, and all get the same pictures and sound', () => {
    const stream = withAudioLengths(withRarePcrs(STREAM, 5));
    const other = withOtherClock(withRarePcrs(new SyntheticStream({ videoPackets: 19 }).frames(150), 5), 3600 * 90_000);
    const kinds = {
      leap: () => other,
      back: (cut: number) => stream.subarray(cut - 100 * FRAME),
      loss: (cut: number) => stream.subarray(cut + 75 * FRAME),
    };
    fc.assert(
      fc.property(
        fc.nat({ max: FRAME }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[])),
        fc.constantFrom(900, 3000, 10_000),
        fc.boolean(),
        (more, joinsBefore, kind, size, isBurst) => {
          const cut = wholePackets(200 * FRAME + more);
          const realTime = { size, ms: (size * 40) / FRAME };
          const watched = new WatchedBroadcast();
          const joined = joinsBefore.map((packets) => ({ at: cut - packets * 188, sink: new FakeSink(), hooks: new RecordingHooks() }));
          let fed = 0;
          for (const { at, sink, hooks } of joined.sort((left, right) => left.at - right.at)) {
            watched.feed(stream.subarray(fed, at), realTime);
            watched.broadcast.addViewer(sink, hooks);
            fed = at;
          }
          watched.feed(stream.subarray(fed, cut), realTime);
          watched.feed(kinds[kind](cut).subarray(0, 150 * FRAME), isBurst ? { size, ms: 0 } : realTime);
          watched.broadcast.end();
          for (const { sink, hooks } of joined) {
            expect(hooks.ends).toEqual(['source-ended']);
            expect(sink.ended).toBe(true);
            for (const pid of [VIDEO_PID, AUDIO_PID]) {
              const [own, all] = [sink, watched.sink].map(({ bytes }) => packetsOn(pid, bytes));
              expect(own.equals(all.subarray(-own.length))).toBe(true);
            }
          }
        },
      ),
      { numRuns: 60, examples: [[0, [1, 226, 216], 'leap', 900, false]] },
    );
  });

  it('that loses some seconds continues at the next keyframe, and viewers see no gap in the clock', () => {
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, 200 * FRAME));
    watched.feed(STREAM.subarray(275 * FRAME));
    expect(watched.broadcast.snapshot().splices.keyframe).toBe(1);
    expect(clockFaults(watched.finish())).toEqual([]);
  });

  it('with rare PCRs is not changed', () => {
    const seldom = withRarePcrs(STREAM, 60);
    expect(
      outputWithoutSwitch(seldom)
        .subarray(-400 * FRAME)
        .equals(seldom.subarray(-400 * FRAME)),
    ).toBe(true);
  });

  it('with a discontinuity waits during a switch to another source, and rejoins when that is aborted', () => {
    const cut = wholePackets(200 * FRAME);
    const watched = new WatchedBroadcast();
    watched.feed(STREAM.subarray(0, cut));
    watched.feed(STREAM.subarray(cut - 100 * FRAME, cut - 80 * FRAME));
    const other = watched.broadcast.beginSwitch();
    watched.feed(STREAM.subarray(cut - 80 * FRAME, cut - 60 * FRAME));
    other.abort();
    watched.feed(STREAM.subarray(cut - 60 * FRAME));
    expect(watched.broadcast.snapshot().splices.exact).toBe(1);
    expect(withoutNulls(watched.finish()).equals(withoutNulls(plain))).toBe(true);
  });
});
