import { SILENT_LOG, createLog } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { FakeSink, RecordingHooks, SyntheticStream } from '../../../../../test/doubles/proxy/broadcast.fixture.js';
import { FakeClock } from '../../../../../test/doubles/fake-clock.js';
import { Broadcast, DEFAULT_BROADCAST_SETTINGS } from '../../broadcast/broadcast.js';
import { MemoryFullError } from '../errors.js';
import { BufferBudget } from './buffer-budget.js';

const KIB = 1024;
const SETTINGS = { ...DEFAULT_BROADCAST_SETTINGS, maxBytes: 2048 * KIB, chunkBytes: 16 * KIB };
const FRAME_MS = 40;
/** Bit rate of the synthetic stream, and the least that such a stream needs: a keyframe interval of 1 s and two seconds more. */
const BYTES_PER_S = 119_000;
const FLOOR = 3 * BYTES_PER_S + 2 * SETTINGS.chunkBytes;

/** A budget with streams that play in real time, of an injected clock. */
class Streams {
  readonly clock = new FakeClock();
  readonly budget: BufferBudget;
  private readonly playing: { broadcast: Broadcast; stream: SyntheticStream }[] = [];

  constructor(bufferBytes: number, { maxStalledViewers = 100, log = SILENT_LOG, memoryBytes = 2 ** 31 } = {}) {
    const limits = { ringBytes: SETTINGS.maxBytes, maxSeconds: 60, joinSeconds: 1, chunkBytes: SETTINGS.chunkBytes };
    this.budget = new BufferBudget({ bufferBytes, maxStalledViewers, memoryBytes, neededBytes: 2 ** 30 }, limits, this.clock, log);
  }

  add(id: string, viewerCount = 1): Broadcast {
    const broadcast = new Broadcast(SETTINGS, this.clock);
    this.playing.push({ broadcast, stream: new SyntheticStream() });
    this.budget.add({ id, viewerCount }, broadcast);
    return broadcast;
  }

  play(seconds: number): void {
    for (let frame = 0; frame < (seconds * 1000) / FRAME_MS; frame += 1) {
      for (const { broadcast, stream } of this.playing) if (!broadcast.ended) broadcast.write(stream.frames(1));
      this.clock.advance(FRAME_MS);
    }
  }
}

/** A viewer that takes nothing. */
function stall(broadcast: Broadcast) {
  const hooks = new RecordingHooks();
  const sink = new FakeSink();
  sink.block();
  broadcast.addViewer(sink, hooks);
  return { hooks, sink };
}

describe('the budget of stream buffers', () => {
  it('lets a ring grow to ACEXY_BUFFER_MAX while it is alone, and shrinks it at once when another stream starts', () => {
    const streams = new Streams(2300 * KIB);
    const first = streams.add('first');
    streams.play(25);
    expect(first.bufferedBytes).toBeGreaterThan(1900 * KIB);
    const second = streams.add('second');
    expect(first.bufferedBytes).toBeLessThan(1300 * KIB);
    streams.play(25);
    expect(first.bufferedBytes + second.bufferedBytes).toBeLessThan(2300 * KIB);
    expect(streams.budget.usedBytes).toBeLessThan(2300 * KIB);
    for (const { bufferedBytes } of [first, second]) expect(bufferedBytes).toBeGreaterThan(900 * KIB);
    second.end();
    streams.play(15);
    expect(first.bufferedBytes).toBeGreaterThan(1900 * KIB);
  });

  it('does not refuse a stream because another one begins with a large picture', () => {
    const streams = new Streams(3 * FLOOR);
    streams.add('first');
    streams.play(5);
    const second = streams.add('second');
    // Half a second of stream with the bytes of ten seconds.
    const burst = new SyntheticStream({ videoPackets: 400 });
    for (let frame = 0; frame < 12; frame += 1) {
      second.write(burst.frames(1));
      streams.clock.advance(FRAME_MS);
    }
    expect(second.bitrate).toBeGreaterThan(80 * BYTES_PER_S);
    expect(streams.budget.fits(0)).toBe(true);
  });

  it('gives a stream more when it has more viewers', () => {
    const streams = new Streams(2000 * KIB);
    const [few, many] = [streams.add('few', 1), streams.add('many', 9)];
    streams.play(30);
    expect(many.maxBytes - FLOOR).toBeGreaterThan(3 * (few.maxBytes - FLOOR));
    expect(few.maxBytes).toBeGreaterThan(FLOOR - 2 * SETTINGS.chunkBytes);
  });

  it('has no room for another stream when the streams need all of it, starting ones included, and always for the first', () => {
    const streams = new Streams(3.5 * FLOOR);
    expect([new Streams(1).budget.fits(0), new Streams(1).budget.fits(1)]).toEqual([true, false]);
    streams.add('first');
    streams.play(5);
    expect([0, 1, 2].map((starting) => streams.budget.fits(starting))).toEqual([true, true, false]);
    streams.add('second');
    streams.play(5);
    expect([0, 1].map((starting) => streams.budget.fits(starting))).toEqual([true, false]);
  });

  it('counts an ended stream until its last viewer has left', () => {
    const streams = new Streams(10 * FLOOR);
    const broadcast = streams.add('ended');
    streams.play(5);
    const { sink } = stall(broadcast);
    broadcast.end();
    streams.play(2);
    expect(streams.budget.usedBytes).toBeGreaterThan(3 * BYTES_PER_S);
    sink.unblock();
    streams.play(2);
    expect([streams.budget.usedBytes, streams.clock.pending]).toEqual([0, 0]);
  });

  it('disconnects those viewers that have stalled longest when more have stalled than fit into the memory', () => {
    const streams = new Streams(10 * FLOOR, { maxStalledViewers: 2 });
    const [first, second] = [streams.add('first'), streams.add('second')];
    streams.play(3);
    const stalled = [stall(first)];
    for (const broadcast of [second, first, second]) {
      streams.play(0.4);
      stalled.push(stall(broadcast));
    }
    const reading = new RecordingHooks();
    first.addViewer(new FakeSink(), reading);
    streams.play(3);
    expect(stalled.map(({ hooks }) => hooks.ends)).toEqual([['too-slow'], ['too-slow'], [], []]);
    expect(reading.ends).toEqual([]);
  });

  it('disconnects downloads of HLS segments whose client takes nothing like viewers', () => {
    const streams = new Streams(10 * FLOOR, { maxStalledViewers: 1 });
    const broadcast = streams.add('stream');
    streams.play(3);
    const viewer = stall(broadcast);
    const left: string[] = [];
    const downloads = ['first', 'second'].map((name, index) => ({ writingMs: 9000 - index, leave: () => void left.push(name) }));
    const downloadsStalledFor = (ms: number) => downloads.filter(({ writingMs }) => writingMs >= ms);
    streams.budget.addHls('stream', { neededMs: 1000, mostBytes: 64 * KIB, bytes: 0, maxBytes: 0, downloadsStalledFor });
    streams.play(1);
    expect([left, viewer.hooks.ends]).toEqual([['first', 'second'], []]);
  });

  it('has HLS segments hold five target durations, rejects those that do not fit, and has the room again at their end', () => {
    const streams = new Streams(4 * FLOOR);
    streams.add('stream');
    streams.play(5);
    const segments = { neededMs: 5000, mostBytes: 4096 * KIB, bytes: 0, maxBytes: 0, downloadsStalledFor: () => [] };
    const release = streams.budget.addHls('stream', segments);
    expect(segments.maxBytes).toBeCloseTo(4 * FLOOR, -2);
    release();
    streams.add('second');
    streams.play(2);
    expect(() => streams.budget.addHls('second', { ...segments, neededMs: 20_000 })).toThrow(MemoryFullError);
    streams.budget.addHls('second', { ...segments, neededMs: 5000 });
    streams.budget.addHls('gone', segments)();
  });

  it('is warned about at the start when the memory limit is smaller than what buffers and process need', () => {
    const lines: string[] = [];
    const log = createLog({ service: 'test', level: 'INFO', destination: { write: (line) => void lines.push(line) } });
    new Streams(KIB, { log });
    expect(lines).toEqual([]);
    new Streams(KIB, { log, memoryBytes: 2 ** 20 });
    expect(lines.join()).toContain('memory limit is too small');
  });
});
