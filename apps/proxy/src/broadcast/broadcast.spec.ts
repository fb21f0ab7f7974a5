import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveBroadcast } from '../../../../test/doubles/proxy/live-broadcast.fixture.js';
import {
  FakeSink,
  SyntheticStream,
  PMT_PID,
  VIDEO_PID,
  dechunk,
  expectCleanStart,
  expectContinuousStream,
  packetsOf,
} from '../../../../test/doubles/proxy/broadcast.fixture.js';

describe('joining', () => {
  it('starts with PAT, PMT and a keyframe, and the counters stay continuous', () => {
    const live = new LiveBroadcast();
    live.play(110);
    const { sink } = live.join();
    live.play(60);
    live.broadcast.end();
    expectCleanStart(expectContinuousStream(sink.bytes));
  });

  it('sends everything after the keyframe at once, up to the last complete picture, without waiting for a chunk', () => {
    const live = new LiveBroadcast();
    live.play(108); // 8 frames after the keyframe at 100: too young, so the join is at 75
    const { sink, hooks } = live.join();
    const pictures = packetsOf(sink.bytes).filter(({ pid, start }) => pid === VIDEO_PID && start);
    expect(pictures).toHaveLength(108 - 75 - 1);
    expect(hooks.firstBytes).toBe(1);
  });

  it('starts at a keyframe with at least joinSeconds of stream after it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 160 }), fc.constantFrom(0.5, 1, 2), (frames, joinSeconds) => {
        const live = new LiveBroadcast({ joinSeconds });
        live.play(frames);
        const first = packetsOf(live.join().sink.bytes).find(({ pcr }) => pcr !== null)?.pcr ?? Number.NaN;
        const after = (900_000 - 9000 + (frames - 1) * 3600 - first) / 90_000;
        expect(after).toBeGreaterThanOrEqual(Math.min(joinSeconds, (frames - 1) / 25) - 1e-9);
        expect(after).toBeLessThan(joinSeconds + 1.01);
      }),
      { numRuns: 40 },
    );
  });

  it.each(['keyframe', 'live', 'oldest'] as const)('in mode %s starts at the keyframe of that mode', (joinMode) => {
    const live = new LiveBroadcast({ joinMode });
    live.play(108);
    const pictures = packetsOf(live.join().sink.bytes).filter(({ pid, start }) => pid === VIDEO_PID && start);
    expect(pictures).toHaveLength(107 - { keyframe: 75, live: 100, oldest: 0 }[joinMode]);
  });

  it('sends the same bytes to viewers that join at the same moment, chunked and raw', () => {
    const live = new LiveBroadcast();
    live.play(90);
    const [one, two, three] = [live.join(), live.join(), live.join(new FakeSink('chunked'))];
    live.play(40);
    live.broadcast.end();
    expect(two.sink.bytes.equals(one.sink.bytes)).toBe(true);
    const chunked = dechunk(three.sink.bytes);
    expect(chunked.bytes.equals(one.sink.bytes)).toBe(true);
    expect(chunked.ended).toBe(true);
  });

  it('copies once for all viewers that join at the same moment: they share the buffers, also those of tables and live edge', () => {
    const live = new LiveBroadcast();
    live.play(108);
    const sinks = Array.from({ length: 50 }, () => live.join().sink);
    live.play(20);
    const buffers = new Set(sinks.flatMap(({ shared }) => shared));
    expect(sinks[0].writes.length).toBeGreaterThan(3);
    expect(buffers.size).toBe(sinks[0].writes.length);
    expectCleanStart(expectContinuousStream(sinks[49].bytes));
  });

  it('shares the live edge: all viewers get the same buffer', () => {
    const live = new LiveBroadcast();
    live.play(90);
    const [one, two] = [live.join(new FakeSink('chunked')), live.join(new FakeSink('chunked'))];
    live.play(40);
    expect(one.sink.shared.at(-1)).toBe(two.sink.shared.at(-1));
  });

  it('sends the same bytes for any chunking of the source', () => {
    const bytes = new SyntheticStream().frames(70);
    const play = (cuts: readonly number[]): Buffer => {
      const live = new LiveBroadcast({ chunkBytes: 20_000, joinMode: 'oldest' });
      const { sink } = live.join();
      let from = 0;
      for (const to of [...cuts, bytes.length]) {
        live.feed(bytes.subarray(from, to));
        from = to;
      }
      live.broadcast.end();
      return sink.bytes;
    };
    const whole = play([]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 40 }), (cuts) => {
        expect(play(cuts.sort((left, right) => left - right)).equals(whole)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a cold start', () => {
  it('starts at the first keyframe as soon as its picture is complete', () => {
    const live = new LiveBroadcast();
    const { sink, hooks } = live.join();
    const stream = live.stream.frames(2);
    live.feed(stream.subarray(0, 188 * 23));
    expect(hooks.firstBytes).toBe(0);
    live.feed(stream.subarray(188 * 23));
    expect(hooks.firstBytes).toBe(1);
    expectCleanStart(expectContinuousStream(sink.bytes));
  });

  it('finds a keyframe before the tables', () => {
    const live = new LiveBroadcast();
    const [tables, keyframe] = [live.stream.frames(4), live.stream.frames(1)];
    const pictures = (bytes: Buffer): Buffer => bytes.subarray(2 * 188); // without the PAT and PMT before them
    expect(packetsOf(pictures(tables))[0].key).toBe(true);
    live.feed(pictures(tables));
    live.feed(keyframe);
    const { sink } = live.join();
    expectCleanStart(packetsOf(sink.bytes));
  });

  it('without a keyframe in time starts with audio, and video follows at the first keyframe', () => {
    const live = new LiveBroadcast({}, new SyntheticStream({ gop: 40 }));
    live.stream.frames(1);
    const { sink } = live.join();
    live.play(80);
    live.broadcast.end();
    const packets = expectContinuousStream(sink.bytes);
    expect(packets.slice(0, 2).map(({ pid }) => pid)).toEqual([0, PMT_PID]);
    expect(packets.find(({ pid }) => pid === VIDEO_PID)?.key).toBe(true);
    expect(packets.findIndex(({ pid }) => pid === VIDEO_PID)).toBeGreaterThan(30 * 3);
    expect(packets.filter(({ pid, start }) => pid === VIDEO_PID && start)).toHaveLength(41);
  });

  it('of a stream without keyframes finally sends the video as it is', () => {
    const live = new LiveBroadcast({}, new SyntheticStream({ gop: 10_000 }));
    live.stream.frames(1);
    const { sink } = live.join();
    live.play(240);
    expect(packetsOf(sink.bytes).some(({ pid }) => pid === VIDEO_PID)).toBe(false);
    live.play(20);
    expect(packetsOf(sink.bytes).some(({ pid }) => pid === VIDEO_PID)).toBe(true);
    const later = live.join();
    expect(packetsOf(later.sink.bytes).some(({ pid }) => pid === VIDEO_PID)).toBe(true);
    for (const { bytes } of [sink, later.sink]) expectContinuousStream(bytes);
  });

  it('joins anywhere after coldJoinMs without a keyframe', () => {
    const live = new LiveBroadcast({}, new SyntheticStream({ gop: 1000 }));
    live.stream.frames(1); // the keyframe is never seen
    const { sink, hooks } = live.join();
    live.play(12);
    expect(hooks.firstBytes).toBe(0);
    live.play(1);
    expect(hooks.firstBytes).toBe(1);
    expectContinuousStream(sink.bytes);
  });

  it('joins anywhere after coldJoinBytes without a keyframe', () => {
    const live = new LiveBroadcast({ coldJoinBytes: 40_000 }, new SyntheticStream({ gop: 1000 }));
    live.stream.frames(1);
    const { sink } = live.join();
    live.feed(live.stream.frames(8));
    expect(sink.writes).toHaveLength(0);
    live.feed(live.stream.frames(3));
    expectContinuousStream(sink.bytes);
    expect(sink.bytes.length).toBeGreaterThan(11 * 3 * 188);
  });

  it('is ready with the first whole packets', () => {
    const live = new LiveBroadcast();
    live.feed(Buffer.from('not a stream'));
    expect(live.broadcast.ready).toBe(false);
    live.feed(live.stream.frames(6));
    expect(live.broadcast.ready).toBe(true);
  });
});

describe('many viewers', () => {
  it('are not affected by others that join: their chunks stay as large and as few', () => {
    const writesWhile = (joiners: number): number => {
      const live = new LiveBroadcast();
      live.play(60);
      const { sink } = live.join();
      const before = sink.writes.length;
      for (let round = 0; round < joiners; round += 1) {
        live.play(50 / joiners);
        live.join();
      }
      return sink.writes.length - before;
    };
    expect(writesWhile(50)).toBe(writesWhile(1));
  });

  it('get one continuous stream each, whenever they join and however slow they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('play', 'join', 'block', 'unblock', 'leave'), fc.nat({ max: 40 })), { maxLength: 40 }),
        (script) => {
          const live = new LiveBroadcast(
            { maxSeconds: 2, maxSkips: 1000, chunkBytes: 30_000 },
            new SyntheticStream({ gop: 13, videoPackets: 8 }),
          );
          const viewers: ReturnType<LiveBroadcast['join']>[] = [];
          live.play(30);
          for (const [what, which] of script) {
            const viewer = viewers[which % Math.max(1, viewers.length)];
            if (what === 'play') live.play(which * 2);
            else if (what === 'join') viewers.push(live.join(new FakeSink(which % 2 === 0 ? 'raw' : 'chunked')));
            else if (what === 'block') viewer?.sink.block();
            else if (what === 'unblock') viewer?.sink.unblock();
            else if (viewer) live.broadcast.removeViewer(viewer.viewer);
          }
          live.play(20);
          for (const { sink } of viewers) sink.unblock();
          live.broadcast.end();
          for (const { sink, hooks } of viewers) {
            expect(hooks.ends).toHaveLength(1);
            expect(sink.mostUnfinished).toBeLessThanOrEqual(1);
            const packets = expectContinuousStream(sink.framing === 'raw' ? sink.bytes : dechunk(sink.bytes).bytes);
            if (packets.length > 0) expectCleanStart(packets);
          }
          expect([live.broadcast.snapshot().viewers.length, live.clock.pending]).toEqual([0, 0]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a slow viewer', () => {
  const small = { maxSeconds: 3, maxBytes: 2_000_000 };

  it('gets the bytes of its unfinished write unchanged, however long ago the ring evicted them', () => {
    const live = new LiveBroadcast(small, new SyntheticStream({ videoPackets: 60 }));
    live.play(60);
    const [slow, quick] = [live.join(), live.join()];
    live.play(50);
    slow.sink.block();
    live.play(20);
    const unfinished = slow.sink.shared[slow.sink.shared.length - 1];
    const asWritten = Buffer.from(unfinished);
    live.play(1500);
    expect(unfinished.equals(asWritten)).toBe(true);
    // The memory of other chunks was used again: the quick viewer was sent more than there are buffers.
    expect(new Set(quick.sink.shared.map(({ buffer }) => buffer)).size).toBeLessThan(quick.sink.shared.length / 4);
    slow.sink.unblock();
    live.play(400);
    expect(unfinished.equals(asWritten)).toBe(false);
  });

  it('skips to a newer keyframe and no other viewer waits', () => {
    const live = new LiveBroadcast(small);
    live.play(60);
    const [slow, quick] = [live.join(), live.join()];
    slow.sink.block();
    live.play(250);
    expect(quick.viewer.lagBytes).toBe(0);
    expect(slow.viewer.lagBytes).toBeGreaterThan(0);
    const before = slow.sink.bytes.length;
    slow.sink.unblock();
    expect(slow.viewer.skips).toBe(1);
    live.play(30);
    live.broadcast.end();
    expectContinuousStream(quick.sink.bytes);
    const packets = expectContinuousStream(slow.sink.bytes);
    expect(packets[before / 188 + 2].key).toBe(true);
    expect([slow.hooks.ends, quick.hooks.ends]).toEqual([['source-ended'], ['source-ended']]);
  });

  it('stays on one timeline after any number of skips, also over the wrap of the clocks', () => {
    const live = new LiveBroadcast({ ...small, maxSkips: 10 }, new SyntheticStream({ clockStart: 2 ** 33 - 90_000 * 8 }));
    live.play(60);
    const { sink, viewer } = live.join();
    for (let skip = 1; skip <= 4; skip += 1) {
      sink.block();
      live.play(150);
      sink.unblock();
      expect(viewer.skips).toBe(skip);
      live.play(40);
    }
    live.broadcast.end();
    expectContinuousStream(sink.bytes);
  });

  it('continues without an error if it was blocked on a part of the pending chunk', () => {
    const live = new LiveBroadcast(small);
    live.play(66);
    const writes = live.join().sink.writes.length; // the last of them is that part
    const sink = new FakeSink();
    sink.block();
    const { viewer } = live.join(sink);
    while (sink.writes.length < writes) sink.finish();
    live.play(200);
    sink.unblock();
    expect(viewer.skips).toBe(1);
    live.play(30);
    live.broadcast.end();
    expectContinuousStream(sink.bytes);
  });

  it('never has more than one unfinished write', () => {
    const live = new LiveBroadcast(small);
    live.play(60);
    const { sink } = live.join();
    sink.block();
    live.play(100);
    expect(sink.mostUnfinished).toBe(1);
  });

  it('is removed with slowClient drop', () => {
    const live = new LiveBroadcast({ ...small, slowClient: 'drop' });
    live.play(60);
    const { sink, hooks } = live.join();
    sink.block();
    live.play(150);
    const writes = sink.writes.length;
    sink.unblock();
    expect([hooks.ends, sink.writes.length, sink.ended, live.broadcast.snapshot().viewers.length]).toEqual([
      ['too-slow'],
      writes,
      false,
      0,
    ]);
  });

  it('is removed after maxSkips skips', () => {
    const live = new LiveBroadcast({ ...small, maxSkips: 1 });
    live.play(60);
    const { sink, hooks } = live.join();
    for (const ends of [[], ['too-slow']]) {
      sink.block();
      live.play(150);
      sink.unblock();
      expect(hooks.ends).toEqual(ends);
    }
  });

  it('is removed when it takes nothing for maxWriteMs', () => {
    const live = new LiveBroadcast({ ...small, maxWriteMs: 10_000 });
    live.play(60);
    const { sink, hooks } = live.join();
    sink.block();
    live.play(200);
    expect(hooks.ends).toEqual([]);
    live.play(75);
    expect(hooks.ends).toEqual(['too-slow']);
  });
});

describe('bounds', () => {
  it('are kept in bytes and in seconds, and the newest keyframe stays', () => {
    const live = new LiveBroadcast({ maxBytes: 500_000, maxSeconds: 2 });
    for (let round = 0; round < 20; round += 1) {
      live.play(13);
      const { ring } = live.broadcast.snapshot();
      expect(ring.bytes).toBeLessThanOrEqual(500_000);
      expect(ring.seconds).toBeLessThanOrEqual(2.1);
    }
    expectCleanStart(packetsOf(live.join().sink.bytes));
  });

  it('apply to keyframes too: in mode oldest a viewer starts at the oldest keyframe that is kept', () => {
    const live = new LiveBroadcast({ maxSeconds: 3, joinMode: 'oldest' });
    live.play(300);
    const packets = packetsOf(live.join().sink.bytes);
    expectCleanStart(packets);
    const pictures = packets.filter(({ pid, start }) => pid === VIDEO_PID && start).length;
    expect(pictures).toBeGreaterThan(50);
    expect(pictures).toBeLessThanOrEqual(3 * 25 + 10);
  });

  it('are exceeded to keep the newest keyframe, but at most twofold', () => {
    const frame = 24 * 188;
    const live = new LiveBroadcast({ maxBytes: 60 * frame, maxSeconds: 1 }, new SyntheticStream({ gop: 100 }));
    live.play(190);
    expect(live.broadcast.snapshot().ring.bytes).toBeGreaterThan(60 * frame);
    expectCleanStart(packetsOf(live.join().sink.bytes));
    const endless = new LiveBroadcast({ maxBytes: 60 * frame, maxSeconds: 1 }, new SyntheticStream({ gop: 10_000 }));
    endless.play(400);
    expect(endless.broadcast.snapshot().ring.bytes).toBeLessThanOrEqual(120 * frame);
  });
});

describe('silence', () => {
  it('is filled with a null packet every 250 to 500 ms after the first second, and the stream continues without an error', () => {
    const live = new LiveBroadcast();
    live.play(60);
    const { sink } = live.join();
    const nulls = () => packetsOf(sink.bytes).filter(({ pid }) => pid === 0x1fff).length;
    live.clock.advance(960);
    expect(nulls()).toBe(0);
    live.clock.advance(3540);
    expect(nulls()).toBeGreaterThanOrEqual(6);
    expect(nulls()).toBeLessThanOrEqual(14);
    live.play(30);
    expectContinuousStream(sink.bytes);
  });

  it('before the first PAT is not filled', () => {
    const live = new LiveBroadcast();
    const { sink } = live.join();
    live.clock.advance(10_000);
    expect(sink.writes).toEqual([]);
  });
});

describe('the end', () => {
  it('sends what was held back and one clean last chunk to every viewer', () => {
    const live = new LiveBroadcast({ joinMode: 'oldest' });
    const { sink, hooks } = live.join(new FakeSink('chunked'));
    live.play(50);
    live.broadcast.end();
    live.broadcast.end();
    const { bytes, ended } = dechunk(sink.bytes);
    const last = Buffer.concat(live.source).subarray(-188 * 30);
    expect([bytes.subarray(-last.length).equals(last), ended, hooks.ends]).toEqual([true, true, ['source-ended']]);
    expect([live.broadcast.snapshot().viewers.length, live.clock.pending]).toEqual([0, 0]);
  });

  it('waits until a slow viewer has taken what is left', () => {
    const live = new LiveBroadcast();
    live.play(60);
    const { sink, hooks } = live.join();
    sink.block();
    live.play(30);
    live.broadcast.end();
    expect([hooks.ends, sink.ended]).toEqual([[], false]);
    sink.unblock();
    expect([hooks.ends, sink.ended]).toEqual([['source-ended'], true]);
    expectContinuousStream(sink.bytes);
  });

  it('sends what is available to a viewer that still waits for a keyframe', () => {
    const live = new LiveBroadcast({}, new SyntheticStream({ gop: 1000 }));
    live.stream.frames(1);
    const { sink, hooks } = live.join();
    live.play(3);
    live.broadcast.end();
    expect([sink.bytes.length > 0, hooks.ends]).toEqual([true, ['source-ended']]);
  });

  it('of one viewer does not affect the others and leaves no timer', () => {
    const live = new LiveBroadcast();
    live.play(60);
    const [leaving, staying] = [live.join(), live.join()];
    live.play(10);
    const writes = leaving.sink.writes.length;
    live.broadcast.removeViewer(leaving.viewer);
    live.broadcast.removeViewer(leaving.viewer);
    live.play(30);
    expect([leaving.sink.writes.length, leaving.hooks.ends, live.broadcast.snapshot().viewers.length]).toEqual([writes, ['removed'], 1]);
    expectContinuousStream(staying.sink.bytes);
    live.broadcast.end();
    expect(live.clock.pending).toBe(0);
  });

  it("may be called by a viewer's hook during a write: the packets of that write are still sent", () => {
    const live = new LiveBroadcast({ slowClient: 'drop', maxSeconds: 1, joinMode: 'oldest' });
    live.play(60);
    const staying = live.join();
    const sink = new FakeSink();
    live.broadcast.addViewer(sink, { onEnd: () => live.broadcast.end() });
    sink.write = () => {
      throw new Error('gone');
    };
    const last = live.stream.frames(200); // several chunks in one write
    live.feed(last);
    expect(staying.sink.bytes.subarray(-last.length).equals(last)).toBe(true);
    expect([staying.hooks.ends, live.broadcast.snapshot().viewers.length, live.clock.pending]).toEqual([['source-ended'], 0, 0]);
  });

  it('is sent to a viewer that joins after it', () => {
    const live = new LiveBroadcast();
    live.play(60);
    live.broadcast.end();
    const { sink, hooks } = live.join();
    expect([hooks.ends, sink.ended]).toEqual([['source-ended'], true]);
    expectCleanStart(expectContinuousStream(sink.bytes));
    const empty = new LiveBroadcast();
    empty.broadcast.end();
    const late = empty.join();
    expect([late.hooks.ends, late.sink.writes, empty.clock.pending]).toEqual([['source-ended'], [], 0]);
  });

  it('is sent to a viewer whose connection fails, and to no other viewer', () => {
    const live = new LiveBroadcast();
    live.play(60);
    const [failing, staying] = [live.join(), live.join()];
    failing.sink.block();
    live.play(10);
    failing.sink.finish(new Error('reset'));
    expect([failing.hooks.ends, staying.hooks.ends]).toEqual([['write-failed'], []]);
  });
});

it('reports what it carries', () => {
  const live = new LiveBroadcast();
  live.play(100);
  const { viewer } = live.join();
  const snapshot = live.broadcast.snapshot();
  expect(snapshot).toMatchObject({ losses: 0, codecs: ['h264', 'aac'], bytesIn: Buffer.concat(live.source).length });
  expect(snapshot.bitrate).toBeGreaterThan(23 * 188 * 8 * 25 * 0.9);
  expect(snapshot.bitrate).toBeLessThan(24 * 188 * 8 * 25 * 1.1);
  expect(snapshot.viewers).toEqual([{ id: viewer.id, bytesSent: viewer.bytesSent, lagBytes: 0, lagMs: 0, skips: 0 }]);
  expect(packetsOf(Buffer.concat(live.source)).some(({ pid }) => pid === PMT_PID)).toBe(true);
});
