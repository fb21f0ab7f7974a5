import { NONE, PACKET_SIZE, WRAP_27M, readPcr, wrapped, writePcr } from '@acexy/mpegts';
import { describe, expect, it } from 'vitest';
import { LoopCache } from '../../apps/engine-simulator/src/media/broadcasts.js';
import { Timeline, shiftTimestamps } from '../../apps/engine-simulator/src/media/timeline.js';
import { Broadcast, DEFAULT_BROADCAST_SETTINGS, type StreamFollower } from '../../apps/proxy/src/broadcast/broadcast.js';
import { FakeClock } from '../doubles/fake-clock.js';
import { HlsStream } from '../../apps/proxy/src/hls/hls-stream.js';
import { HlsChecker } from '../support/hls-checker.js';
import { markersOf } from '../support/stream-body.js';

const HOUR_S = 3600;
const STEP_MS = 480;
const BITRATE = 480_000;
/** Seconds between two losses of the source. Another source continues the stream. */
const LOST_EVERY_S = 300;

describe('an hour of HLS in compressed time', () => {
  it('follows RFC 8216 at every reload, across exact splices, gaps, repeats and other clocks', { timeout: 120_000 }, async () => {
    const clock = new FakeClock();
    const broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, chunkBytes: 32 * 1024 }, clock);
    const stream = new HlsStream(
      'stream',
      { sequence: 1_000_000, discontinuity: 3 },
      { targetS: 4, idleMs: 60_000, mostBytes: 64 * 1024 * 1024 },
      clock,
      () => undefined,
      () => undefined,
      (_ended, error) => {
        throw error;
      },
    );
    const subscription = {
      follow: (follower: StreamFollower, seconds: number) => {
        const tap = broadcast.follow(follower, seconds);
        return () => broadcast.unfollow(tap);
      },
      leave: () => undefined,
    };
    let source = new Source();
    broadcast.write(source.take(20_000));
    const viewerId = await stream.join(null, subscription, new AbortController().signal);

    const checker = new HlsChecker({ continues: (before, after) => markersOf(before).at(-1)! + 1 === markersOf(after)[0] });
    /** Start of the next source relative to the old one: inside it, after it, or on another clock. */
    const losses = [() => source.ahead(-4000), () => source.ahead(7000), () => source.ahead(500).onClock(90_000 * 1234)];
    let feed: { write(bytes: Buffer): void } = broadcast;
    let lost = 0;
    for (let second = 0, reloadAt = 0; second < HOUR_S; second += STEP_MS / 1000) {
      await clock.advance(STEP_MS);
      if (second >= (lost + 1) * LOST_EVERY_S) {
        source = losses[lost % losses.length]();
        feed = broadcast.beginSwitch();
        feed.write(source.take(8000));
        lost += 1;
      }
      feed.write(source.take(STEP_MS));
      if (second < reloadAt) continue;
      // Players reload the playlist after 0.5 to 1 target durations.
      reloadAt = second + (lost % 2 ? 2 : 4);
      expect(stream.touch(viewerId)).toBe(true);
      for (const listed of checker.playlist(stream.playlist((sequence) => `${sequence}.ts`)))
        checker.segment(listed, Buffer.concat(stream.segment(listed.sequence)!.parts));
    }
    expect(checker.faults).toEqual([]);
    const { splices } = broadcast.snapshot();
    expect(splices.exact + splices.renumbered + splices.keyframe).toBe(lost);
    expect(splices.keyframe).toBeGreaterThan(5);
    expect(checker.reloads).toBeGreaterThan(900);
    expect(checker.seconds).toBeGreaterThan(HOUR_S - 60);
    // Segments in memory: those in the playlist and those that just left it.
    expect(stream.bytes).toBeLessThan((BITRATE / 8) * 70);
  });
});

/** The broadcast, read from its own position. */
class Source {
  private static readonly timeline = new Timeline(new LoopCache().loop(BITRATE, 'picture'), 'ab'.repeat(20));

  constructor(
    private at = Source.timeline.packetAt(Date.UTC(2026, 0, 1)),
    private readonly shift = 0,
  ) {}

  take(ms: number): Buffer {
    const count = packetsIn(ms);
    const bytes = Source.timeline.read(this.at, count);
    this.at += count;
    if (this.shift !== 0) shiftClock(bytes, this.shift);
    return bytes;
  }

  /** Another engine with the same stream, which starts later by this much. */
  ahead(ms: number): Source {
    return new Source(this.at + packetsIn(ms), this.shift);
  }

  /** Ticks of 90 kHz later. */
  onClock(ticks: number): Source {
    return new Source(this.at, ticks);
  }
}

function packetsIn(ms: number): number {
  return Math.round((ms / 1000) * (BITRATE / 8 / PACKET_SIZE));
}

function shiftClock(bytes: Buffer, ticks: number): void {
  for (let at = 0; at < bytes.length; at += PACKET_SIZE) {
    const pcr = readPcr(bytes, at);
    if (pcr !== NONE) writePcr(bytes, at, wrapped(pcr + ticks * 300, WRAP_27M));
    shiftTimestamps(bytes, at, ticks);
  }
}
