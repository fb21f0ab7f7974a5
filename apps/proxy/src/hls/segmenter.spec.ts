import { NULL_PACKET, PACKET_SIZE, pidOf, startsUnit } from '@acexy/mpegts';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { AUDIO_PID, SyntheticStream, PMT_PID, VIDEO_PID } from '../../../../test/doubles/proxy/broadcast.fixture.js';
import { Broadcast, DEFAULT_BROADCAST_SETTINGS } from '../broadcast/broadcast.js';
import { type Segment, Segmenter } from './segmenter.js';

interface CutStream {
  broadcast: Broadcast;
  clock: FakeClock;
  segmenter: Segmenter;
  segments: Segment[];
  /** The memory of the chunks in the ring buffer. */
  steps: Set<ArrayBufferLike>;
}

function cutting(target = 4, maxBytes = Infinity): CutStream {
  const clock = new FakeClock();
  const broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, chunkBytes: 8192 }, clock);
  const segments: Segment[] = [];
  const segmenter = new Segmenter(target, (segment) => segments.push(segment), maxBytes);
  return { broadcast, clock, segmenter, segments, steps: new Set() };
}

function follow({ broadcast, segmenter, steps }: CutStream, seconds = 60): void {
  broadcast.follow(
    {
      onChunk: (step, points, breaks) => {
        steps.add(step.data.buffer);
        segmenter.push(step, points, breaks);
      },
      onEnd: (error) => {
        if (error !== undefined) throw error as Error;
      },
    },
    seconds,
  );
}

const bytesOf = (segment: Segment): Buffer => Buffer.concat(segment.parts);

function packetsOf(bytes: Buffer, pid: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PACKET_SIZE) if (pidOf(bytes, at) === pid) found.push(bytes.subarray(at, at + PACKET_SIZE));
  return found;
}

describe('Segmenter', () => {
  it('starts each segment with PAT, PMT and a keyframe, gives its duration to the frame, and loses or repeats nothing', () => {
    const cut = cutting();
    follow(cut);
    const made = new SyntheticStream().frames(25 * 30);
    for (let at = 0; at < made.length; at += 5000) cut.broadcast.write(made.subarray(at, at + 5000));
    expect(cut.segments.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const segment of cut.segments) {
      const bytes = bytesOf(segment);
      expect(segment.bytes).toBe(bytes.length);
      expect([0, 1, 2].map((packet) => pidOf(bytes, packet * PACKET_SIZE))).toEqual([0, PMT_PID, VIDEO_PID]);
      expect(segment.seconds).toBeCloseTo(4, 6);
      expect(segment.discontinuity).toBe(false);
    }
    const all = Buffer.concat(cut.segments.map(bytesOf));
    for (const pid of [VIDEO_PID, AUDIO_PID]) {
      const sent = packetsOf(all, pid);
      const first = packetsOf(made, pid).findIndex((packet) => packet.equals(sent[0]));
      expect(Buffer.concat(sent).equals(Buffer.concat(packetsOf(made, pid).slice(first, first + sent.length)))).toBe(true);
    }
  });

  it('moves audio that starts before a cut to the previous segment: no segment starts or ends in the middle of a unit', () => {
    const cut = cutting();
    follow(cut);
    cut.broadcast.write(new SyntheticStream().frames(25 * 20));
    expect(cut.segments.length).toBeGreaterThan(3);
    for (const segment of cut.segments.slice(1)) {
      const sound = packetsOf(bytesOf(segment), AUDIO_PID);
      expect(startsUnit(sound[0], 0)).toBe(true);
      // Each audio unit of the test stream has three packets.
      expect(sound.length % 3).toBe(0);
    }
  });

  it('shares the memory of the ring buffer, except for the first packets of each segment', () => {
    const cut = cutting();
    follow(cut);
    cut.broadcast.write(new SyntheticStream().frames(25 * 20));
    for (const { parts, bytes } of cut.segments.slice(1)) {
      const shared = parts.filter((part) => cut.steps.has(part.buffer)).reduce((sum, { length }) => sum + length, 0);
      expect(shared / bytes).toBeGreaterThan(0.95);
    }
  });

  it('cuts what is already in the ring buffer at once', () => {
    const cut = cutting();
    cut.broadcast.write(new SyntheticStream().frames(25 * 30));
    follow(cut, 24);
    expect(cut.segments.length).toBeGreaterThanOrEqual(5);
    expect(cut.segments.length).toBeLessThanOrEqual(6);
  });

  it('lets the target duration grow with the distance of keyframes until it is fixed, then cuts at other pictures', () => {
    const cut = cutting();
    follow(cut);
    const stream = new SyntheticStream({ gop: 25 * 7, videoPackets: 8 });
    cut.broadcast.write(stream.frames(25 * 15));
    expect(cut.segments.map(({ seconds }) => Math.round(seconds))).toEqual([7, 7]);
    expect(cut.segmenter.target).toBe(7);
    cut.segmenter.fixTarget();
    const late = cutting();
    follow(late);
    late.segmenter.fixTarget();
    late.broadcast.write(new SyntheticStream({ gop: 25 * 10, videoPackets: 8 }).frames(25 * 31));
    expect(late.segmenter.target).toBe(4);
    expect(late.segments.length).toBeGreaterThanOrEqual(6);
    for (const { seconds } of late.segments) expect(Math.round(seconds)).toBeLessThanOrEqual(4);
    const total = late.segments.reduce((sum, { seconds }) => sum + seconds, 0);
    const pictures = packetsOf(Buffer.concat(late.segments.map(bytesOf)), VIDEO_PID).length / 8;
    expect(total).toBeCloseTo(pictures / 25, 1);
  });

  it('marks the segment after a discontinuity, and measures the one before it to its last picture', () => {
    const cut = cutting();
    follow(cut);
    cut.broadcast.write(new SyntheticStream().frames(25 * 9 + 10));
    const change = cut.broadcast.beginSwitch();
    change.write(new SyntheticStream({ clockStart: 5_000_000_000 }).frames(25 * 12));
    expect(change.state).toBe('spliced');
    const marked = cut.segments.filter(({ discontinuity }) => discontinuity);
    expect(marked).toHaveLength(1);
    const before = cut.segments[marked[0].index - 1];
    const pictures = packetsOf(bytesOf(before), VIDEO_PID).filter((packet) => startsUnit(packet, 0)).length;
    expect(before.seconds).toBeCloseTo(pictures / 25, 3);
  });

  it('limits the memory of a stream whose PCR stands still, and starts again when possible', () => {
    const cut = cutting(4, 1_000_000);
    follow(cut);
    const made = new SyntheticStream();
    cut.broadcast.write(made.frames(25 * 6));
    const before = cut.segments.length;
    let most = 0;
    for (let written = 0; written < 400; written += 1) {
      cut.broadcast.write(Buffer.concat(Array<Uint8Array>(50).fill(NULL_PACKET)));
      most = Math.max(most, cut.segmenter.openBytes);
    }
    expect(most).toBeGreaterThan(900_000);
    expect(most).toBeLessThanOrEqual(1_000_000);
    cut.broadcast.write(made.frames(25 * 20));
    const after = cut.segments.slice(before);
    expect(after.length).toBeGreaterThan(2);
    expect(after.map(({ discontinuity }) => discontinuity)).toEqual([true, ...Array<boolean>(after.length - 1).fill(false)]);
    expect(pidOf(bytesOf(after[0]), 2 * PACKET_SIZE)).toBe(VIDEO_PID);
  });

  it('marks nothing when another source continues with the next packet', () => {
    const cut = cutting();
    follow(cut);
    const made = new SyntheticStream().frames(25 * 40);
    const half = Math.floor(made.length / PACKET_SIZE / 2) * PACKET_SIZE;
    cut.broadcast.write(made.subarray(0, half));
    const change = cut.broadcast.beginSwitch();
    change.write(made.subarray(half - 100 * PACKET_SIZE));
    expect(change.kind).toBe('exact');
    expect(cut.segments.length).toBeGreaterThan(7);
    expect(cut.segments.some(({ discontinuity }) => discontinuity)).toBe(false);
  });
});
