import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Broadcast, type BroadcastSettings, DEFAULT_BROADCAST_SETTINGS } from './broadcast.js';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import {
  FakeSink,
  MadeStream,
  NotingHooks,
  PMT_PID,
  VIDEO_PID,
  dechunk,
  expectCleanStart,
  expectOneStream,
  packetsOf,
} from '../../../../test/doubles/proxy/broadcast.fixture.js';

const FRAME_MS = 40;

class Scene {
  readonly clock = new FakeClock();
  readonly stream: MadeStream;
  readonly broadcast: Broadcast;
  readonly source: Buffer[] = [];

  constructor(settings: Partial<BroadcastSettings> = {}, stream = new MadeStream()) {
    this.stream = stream;
    this.broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, ...settings }, this.clock);
  }

  /** Frames in real time. */
  play(frames: number): void {
    for (let index = 0; index < frames; index += 1) {
      this.feed(this.stream.frames(1));
      this.clock.advance(FRAME_MS);
    }
  }

  /** The bytes are only lent: whatever becomes of their memory afterwards, the viewers' stream is not touched. */
  feed(bytes: Buffer): void {
    this.source.push(bytes);
    const lent = Buffer.from(bytes);
    this.broadcast.write(lent);
    lent.fill(0xee);
  }

  join(sink = new FakeSink()) {
    const hooks = new NotingHooks();
    const viewer = this.broadcast.addViewer(sink, hooks);
    return { sink, hooks, viewer };
  }
}

describe('joining', () => {
  it('begins with PAT, PMT and a keyframe, and no counter ever breaks', () => {
    const scene = new Scene();
    scene.play(110);
    const { sink } = scene.join();
    scene.play(60);
    scene.broadcast.end();
    expectCleanStart(expectOneStream(sink.bytes));
  });

  it('gives a viewer all of the stream behind its keyframe at once, up to the last whole picture, without waiting for a step', () => {
    const scene = new Scene();
    scene.play(108); // 8 frames after the keyframe at 100: too young, so the join is at 75
    const { sink, hooks } = scene.join();
    const pictures = packetsOf(sink.bytes).filter(({ pid, start }) => pid === VIDEO_PID && start);
    expect(pictures).toHaveLength(108 - 75 - 1);
    expect(hooks.firstBytes).toBe(1);
  });

  it('has at least joinSeconds of stream behind the keyframe it takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 160 }), fc.constantFrom(0.5, 1, 2), (frames, joinSeconds) => {
        const scene = new Scene({ joinSeconds });
        scene.play(frames);
        const first = packetsOf(scene.join().sink.bytes).find(({ pcr }) => pcr !== null)?.pcr ?? Number.NaN;
        const behind = (900_000 - 9000 + (frames - 1) * 3600 - first) / 90_000;
        expect(behind).toBeGreaterThanOrEqual(Math.min(joinSeconds, (frames - 1) / 25) - 1e-9);
        expect(behind).toBeLessThan(joinSeconds + 1.01);
      }),
      { numRuns: 40 },
    );
  });

  it.each(['keyframe', 'live', 'oldest'] as const)('in mode %s takes the keyframe of that mode', (joinMode) => {
    const scene = new Scene({ joinMode });
    scene.play(108);
    const pictures = packetsOf(scene.join().sink.bytes).filter(({ pid, start }) => pid === VIDEO_PID && start);
    expect(pictures).toHaveLength(107 - { keyframe: 75, live: 100, oldest: 0 }[joinMode]);
  });

  it('gives two viewers that join at the same instant the same bytes, chunked and raw', () => {
    const scene = new Scene();
    scene.play(90);
    const [one, two, three] = [scene.join(), scene.join(), scene.join(new FakeSink('chunked'))];
    scene.play(40);
    scene.broadcast.end();
    expect(two.sink.bytes.equals(one.sink.bytes)).toBe(true);
    const chunked = dechunk(three.sink.bytes);
    expect(chunked.bytes.equals(one.sink.bytes)).toBe(true);
    expect(chunked.ended).toBe(true);
  });

  it('copies once for all who join at the same moment: they are given the very same buffers, tables, live edge and all', () => {
    const scene = new Scene();
    scene.play(108);
    const sinks = Array.from({ length: 50 }, () => scene.join().sink);
    scene.play(20);
    const buffers = new Set(sinks.flatMap(({ writes }) => writes.map(({ buffer }) => buffer)));
    expect(sinks[0].writes.length).toBeGreaterThan(3);
    expect(buffers.size).toBe(sinks[0].writes.length);
    expectCleanStart(expectOneStream(sinks[49].bytes));
  });

  it('shares the bytes of the live edge: all viewers are given the very same buffer', () => {
    const scene = new Scene();
    scene.play(90);
    const [one, two] = [scene.join(new FakeSink('chunked')), scene.join(new FakeSink('chunked'))];
    scene.play(40);
    expect(one.sink.writes.at(-1)).toBe(two.sink.writes.at(-1));
  });

  it('gives the same bytes however the source is cut up', () => {
    const bytes = new MadeStream().frames(70);
    const play = (cuts: readonly number[]): Buffer => {
      const scene = new Scene({ chunkBytes: 20_000, joinMode: 'oldest' });
      const { sink } = scene.join();
      let from = 0;
      for (const to of [...cuts, bytes.length]) {
        scene.feed(bytes.subarray(from, to));
        from = to;
      }
      scene.broadcast.end();
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
  it('begins with the first keyframe as soon as its picture is whole', () => {
    const scene = new Scene();
    const { sink, hooks } = scene.join();
    const stream = scene.stream.frames(2);
    scene.feed(stream.subarray(0, 188 * 23));
    expect(hooks.firstBytes).toBe(0);
    scene.feed(stream.subarray(188 * 23));
    expect(hooks.firstBytes).toBe(1);
    expectCleanStart(expectOneStream(sink.bytes));
  });

  it('finds the keyframe that came before the tables', () => {
    const scene = new Scene();
    const [tables, keyframe] = [scene.stream.frames(4), scene.stream.frames(1)];
    const pictures = (bytes: Buffer): Buffer => bytes.subarray(2 * 188); // without the PAT and PMT before them
    expect(packetsOf(pictures(tables))[0].key).toBe(true);
    scene.feed(pictures(tables));
    scene.feed(keyframe);
    const { sink } = scene.join();
    expectCleanStart(packetsOf(sink.bytes));
  });

  it('that does not find a keyframe in time begins with the sound, and the picture follows at the first keyframe', () => {
    const scene = new Scene({}, new MadeStream({ gop: 40 }));
    scene.stream.frames(1);
    const { sink } = scene.join();
    scene.play(80);
    scene.broadcast.end();
    const packets = expectOneStream(sink.bytes);
    expect(packets.slice(0, 2).map(({ pid }) => pid)).toEqual([0, PMT_PID]);
    expect(packets.find(({ pid }) => pid === VIDEO_PID)?.key).toBe(true);
    expect(packets.findIndex(({ pid }) => pid === VIDEO_PID)).toBeGreaterThan(30 * 3);
    expect(packets.filter(({ pid, start }) => pid === VIDEO_PID && start)).toHaveLength(41);
  });

  it('of a stream without any keyframe brings the picture as it is in the end', () => {
    const scene = new Scene({}, new MadeStream({ gop: 10_000 }));
    scene.stream.frames(1);
    const { sink } = scene.join();
    scene.play(240);
    expect(packetsOf(sink.bytes).some(({ pid }) => pid === VIDEO_PID)).toBe(false);
    scene.play(20);
    expect(packetsOf(sink.bytes).some(({ pid }) => pid === VIDEO_PID)).toBe(true);
    const later = scene.join();
    expect(packetsOf(later.sink.bytes).some(({ pid }) => pid === VIDEO_PID)).toBe(true);
    for (const { bytes } of [sink, later.sink]) expectOneStream(bytes);
  });

  it('takes what there is at a packet boundary after coldJoinMs without a keyframe', () => {
    const scene = new Scene({}, new MadeStream({ gop: 1000 }));
    scene.stream.frames(1); // the keyframe is never seen
    const { sink, hooks } = scene.join();
    scene.play(12);
    expect(hooks.firstBytes).toBe(0);
    scene.play(1);
    expect(hooks.firstBytes).toBe(1);
    expectOneStream(sink.bytes);
  });

  it('takes what there is after coldJoinBytes without a keyframe', () => {
    const scene = new Scene({ coldJoinBytes: 40_000 }, new MadeStream({ gop: 1000 }));
    scene.stream.frames(1);
    const { sink } = scene.join();
    scene.feed(scene.stream.frames(8));
    expect(sink.writes).toHaveLength(0);
    scene.feed(scene.stream.frames(3));
    expectOneStream(sink.bytes);
    expect(sink.bytes.length).toBeGreaterThan(11 * 3 * 188);
  });

  it('is ready with the first whole packets and says so once', () => {
    const scene = new Scene();
    let ready = 0;
    scene.broadcast.onReady(() => (ready += 1));
    scene.feed(Buffer.from('not a stream'));
    expect([scene.broadcast.ready, ready]).toEqual([false, 0]);
    scene.feed(scene.stream.frames(3));
    scene.feed(scene.stream.frames(3));
    expect([scene.broadcast.ready, ready]).toEqual([true, 1]);
    scene.broadcast.onReady(() => (ready += 1));
    expect(ready).toBe(2);
  });
});

describe('many viewers', () => {
  it('are not disturbed by one who joins: their steps stay as large and as few', () => {
    const writesWhile = (joiners: number): number => {
      const scene = new Scene();
      scene.play(60);
      const { sink } = scene.join();
      const before = sink.writes.length;
      for (let round = 0; round < joiners; round += 1) {
        scene.play(50 / joiners);
        scene.join();
      }
      return sink.writes.length - before;
    };
    expect(writesWhile(50)).toBe(writesWhile(1));
  });

  it('get one stream each, whenever they come and however slowly they take it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('play', 'join', 'stick', 'recover', 'leave'), fc.nat({ max: 40 })), { maxLength: 40 }),
        (script) => {
          const scene = new Scene({ maxSeconds: 2, maxSkips: 1000, chunkBytes: 30_000 }, new MadeStream({ gop: 13, videoPackets: 8 }));
          const guests: ReturnType<Scene['join']>[] = [];
          scene.play(30);
          for (const [what, which] of script) {
            const guest = guests[which % Math.max(1, guests.length)];
            if (what === 'play') scene.play(which * 2);
            else if (what === 'join') guests.push(scene.join(new FakeSink(which % 2 === 0 ? 'raw' : 'chunked')));
            else if (what === 'stick') guest?.sink.stick();
            else if (what === 'recover') guest?.sink.recover();
            else if (guest) scene.broadcast.removeViewer(guest.viewer);
          }
          scene.play(20);
          for (const { sink } of guests) sink.recover();
          scene.broadcast.end();
          for (const { sink, hooks } of guests) {
            expect(hooks.ends).toHaveLength(1);
            expect(sink.mostUnfinished).toBeLessThanOrEqual(1);
            const packets = expectOneStream(sink.framing === 'raw' ? sink.bytes : dechunk(sink.bytes).bytes);
            if (packets.length > 0) expectCleanStart(packets);
          }
          expect([scene.broadcast.viewerCount, scene.clock.pending]).toEqual([0, 0]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a slow viewer', () => {
  const small = { maxSeconds: 3, maxBytes: 2_000_000 };

  it('is moved to a newer keyframe and nobody else waits', () => {
    const scene = new Scene(small);
    scene.play(60);
    const [slow, quick] = [scene.join(), scene.join()];
    slow.sink.stick();
    scene.play(250);
    expect(quick.viewer.lagBytes).toBe(0);
    expect(slow.viewer.lagBytes).toBeGreaterThan(0);
    const before = slow.sink.bytes.length;
    slow.sink.recover();
    expect(slow.viewer.skips).toBe(1);
    scene.play(30);
    scene.broadcast.end();
    expectOneStream(quick.sink.bytes);
    const packets = expectOneStream(slow.sink.bytes);
    expect(packets[before / 188 + 2].key).toBe(true);
    expect([slow.hooks.ends, quick.hooks.ends]).toEqual([['source-ended'], ['source-ended']]);
  });

  it('stays on one timeline however often it jumps, over the wrap of the clocks too', () => {
    const scene = new Scene({ ...small, maxSkips: 10 }, new MadeStream({ clockStart: 2 ** 33 - 90_000 * 8 }));
    scene.play(60);
    const { sink, viewer } = scene.join();
    for (let jump = 1; jump <= 4; jump += 1) {
      sink.stick();
      scene.play(150);
      sink.recover();
      expect(viewer.skips).toBe(jump);
      scene.play(40);
    }
    scene.broadcast.end();
    expectOneStream(sink.bytes);
  });

  it('goes on unbroken even if it got stuck on the beginning of a step that was still being filled', () => {
    const scene = new Scene(small);
    scene.play(66);
    const writes = scene.join().sink.writes.length; // the last of them is that beginning
    const sink = new FakeSink();
    sink.stick();
    const { viewer } = scene.join(sink);
    while (sink.writes.length < writes) sink.finish();
    scene.play(200);
    sink.recover();
    expect(viewer.skips).toBe(1);
    scene.play(30);
    scene.broadcast.end();
    expectOneStream(sink.bytes);
  });

  it('has never more than one unfinished write', () => {
    const scene = new Scene(small);
    scene.play(60);
    const { sink } = scene.join();
    sink.stick();
    scene.play(100);
    expect(sink.mostUnfinished).toBe(1);
  });

  it('is let go where the setting says so', () => {
    const scene = new Scene({ ...small, slowClient: 'drop' });
    scene.play(60);
    const { sink, hooks } = scene.join();
    sink.stick();
    scene.play(150);
    const writes = sink.writes.length;
    sink.recover();
    expect([hooks.ends, sink.writes.length, sink.ended, scene.broadcast.viewerCount]).toEqual([['too-slow'], writes, false, 0]);
  });

  it('is let go after maxSkips jumps', () => {
    const scene = new Scene({ ...small, maxSkips: 1 });
    scene.play(60);
    const { sink, hooks } = scene.join();
    for (const ends of [[], ['too-slow']]) {
      sink.stick();
      scene.play(150);
      sink.recover();
      expect(hooks.ends).toEqual(ends);
    }
  });

  it('is let go when it takes nothing at all for maxWriteMs', () => {
    const scene = new Scene({ ...small, maxWriteMs: 10_000 });
    scene.play(60);
    const { sink, hooks } = scene.join();
    sink.stick();
    scene.play(200);
    expect(hooks.ends).toEqual([]);
    scene.play(75);
    expect(hooks.ends).toEqual(['too-slow']);
  });
});

describe('bounds', () => {
  it('hold in bytes and in seconds, and the newest keyframe stays', () => {
    const scene = new Scene({ maxBytes: 500_000, maxSeconds: 2 });
    for (let round = 0; round < 20; round += 1) {
      scene.play(13);
      const { ring } = scene.broadcast.snapshot();
      expect(ring.bytes).toBeLessThanOrEqual(500_000);
      expect(ring.seconds).toBeLessThanOrEqual(2.1);
    }
    expectCleanStart(packetsOf(scene.join().sink.bytes));
  });

  it('are overrun for the newest keyframe, but never twofold', () => {
    const frame = 24 * 188;
    const scene = new Scene({ maxBytes: 60 * frame, maxSeconds: 1 }, new MadeStream({ gop: 100 }));
    scene.play(190);
    expect(scene.broadcast.snapshot().ring.bytes).toBeGreaterThan(60 * frame);
    expectCleanStart(packetsOf(scene.join().sink.bytes));
    const endless = new Scene({ maxBytes: 60 * frame, maxSeconds: 1 }, new MadeStream({ gop: 10_000 }));
    endless.play(400);
    expect(endless.broadcast.snapshot().ring.bytes).toBeLessThanOrEqual(120 * frame);
  });
});

describe('silence', () => {
  it('is filled with one null packet in 250 to 500 ms after the first second, and the stream goes on unbroken', () => {
    const scene = new Scene();
    scene.play(60);
    const { sink } = scene.join();
    const nulls = () => packetsOf(sink.bytes).filter(({ pid }) => pid === 0x1fff).length;
    scene.clock.advance(960);
    expect(nulls()).toBe(0);
    scene.clock.advance(3540);
    expect(nulls()).toBeGreaterThanOrEqual(6);
    expect(nulls()).toBeLessThanOrEqual(14);
    scene.play(30);
    expectOneStream(sink.bytes);
  });

  it('before the first PAT stays silence', () => {
    const scene = new Scene();
    const { sink } = scene.join();
    scene.clock.advance(10_000);
    expect(sink.writes).toEqual([]);
  });
});

describe('the end', () => {
  it('brings what was held back and a clean last chunk to everybody, once', () => {
    const scene = new Scene({ joinMode: 'oldest' });
    const { sink, hooks } = scene.join(new FakeSink('chunked'));
    scene.play(50);
    scene.broadcast.end();
    scene.broadcast.end();
    const { bytes, ended } = dechunk(sink.bytes);
    const last = Buffer.concat(scene.source).subarray(-188 * 30);
    expect([bytes.subarray(-last.length).equals(last), ended, hooks.ends]).toEqual([true, true, ['source-ended']]);
    expect([scene.broadcast.viewerCount, scene.clock.pending]).toEqual([0, 0]);
  });

  it('waits for a slow viewer to take what is left', () => {
    const scene = new Scene();
    scene.play(60);
    const { sink, hooks } = scene.join();
    sink.stick();
    scene.play(30);
    scene.broadcast.end();
    expect([hooks.ends, sink.ended]).toEqual([[], false]);
    sink.recover();
    expect([hooks.ends, sink.ended]).toEqual([['source-ended'], true]);
    expectOneStream(sink.bytes);
  });

  it('gives a viewer that still waits for a keyframe what there is', () => {
    const scene = new Scene({}, new MadeStream({ gop: 1000 }));
    scene.stream.frames(1);
    const { sink, hooks } = scene.join();
    scene.play(3);
    scene.broadcast.end();
    expect([sink.bytes.length > 0, hooks.ends]).toEqual([true, ['source-ended']]);
  });

  it('of one viewer leaves the others alone and nothing behind', () => {
    const scene = new Scene();
    scene.play(60);
    const [leaving, staying] = [scene.join(), scene.join()];
    scene.play(10);
    const writes = leaving.sink.writes.length;
    scene.broadcast.removeViewer(leaving.viewer);
    scene.broadcast.removeViewer(leaving.viewer);
    scene.play(30);
    expect([leaving.sink.writes.length, leaving.hooks.ends, scene.broadcast.viewerCount]).toEqual([writes, ['removed'], 1]);
    expectOneStream(staying.sink.bytes);
    scene.broadcast.end();
    expect(scene.clock.pending).toBe(0);
  });

  it('may be called by whoever is told that a viewer has left, in the middle of a write: what came with it still goes out', () => {
    const scene = new Scene({ slowClient: 'drop', maxSeconds: 1, joinMode: 'oldest' });
    scene.play(60);
    const staying = scene.join();
    const sink = new FakeSink();
    scene.broadcast.addViewer(sink, { onEnd: () => scene.broadcast.end() });
    sink.write = () => {
      throw new Error('gone');
    };
    const last = scene.stream.frames(200); // several steps in one write
    scene.feed(last);
    expect(staying.sink.bytes.subarray(-last.length).equals(last)).toBe(true);
    expect([staying.hooks.ends, scene.broadcast.viewerCount, scene.clock.pending]).toEqual([['source-ended'], 0, 0]);
  });

  it('comes to a viewer who joins when it is over already', () => {
    const scene = new Scene();
    scene.play(60);
    scene.broadcast.end();
    const { sink, hooks } = scene.join();
    expect([hooks.ends, sink.ended]).toEqual([['source-ended'], true]);
    expectCleanStart(expectOneStream(sink.bytes));
    const empty = new Scene();
    empty.broadcast.end();
    const nobody = empty.join();
    expect([nobody.hooks.ends, nobody.sink.writes, empty.clock.pending]).toEqual([['source-ended'], [], 0]);
  });

  it('comes to a viewer whose connection fails, and to nobody else', () => {
    const scene = new Scene();
    scene.play(60);
    const [failing, staying] = [scene.join(), scene.join()];
    failing.sink.stick();
    scene.play(10);
    failing.sink.finish(new Error('reset'));
    expect([failing.hooks.ends, staying.hooks.ends]).toEqual([['write-failed'], []]);
  });
});

it('tells what it carries', () => {
  const scene = new Scene();
  scene.play(100);
  const { viewer } = scene.join();
  const snapshot = scene.broadcast.snapshot();
  expect(snapshot).toMatchObject({ losses: 0, bytesSkipped: 0, locked: true, codecs: ['h264', 'aac'], packetsIn: snapshot.bytesIn / 188 });
  expect(snapshot.bitrate).toBeGreaterThan(23 * 188 * 8 * 25 * 0.9);
  expect(snapshot.bitrate).toBeLessThan(24 * 188 * 8 * 25 * 1.1);
  expect(snapshot.viewers).toEqual([{ id: viewer.id, bytesSent: viewer.bytesSent, lagBytes: 0, lagMs: 0, skips: 0 }]);
  expect(packetsOf(Buffer.concat(scene.source)).some(({ pid }) => pid === PMT_PID)).toBe(true);
});
