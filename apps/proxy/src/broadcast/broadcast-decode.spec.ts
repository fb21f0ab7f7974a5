/** Decodes with ffmpeg what viewers get when they join or skip in the middle of the stream. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Broadcast, DEFAULT_BROADCAST_SETTINGS } from './broadcast.js';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { CLIP_CODECS, type ClipCodec, ENCODERS, H264_PLAIN_I, codecClip } from '../../../../test/doubles/ffmpeg-clips.js';
import { FakeSink, RecordingHooks } from '../../../../test/doubles/proxy/broadcast.fixture.js';
import { withOtherClock } from '../../../../test/doubles/proxy/splice.fixture.js';
import { Segmenter } from '../hls/segmenter.js';

const folder = mkdtempSync(join(tmpdir(), 'broadcast-decode-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MUX_RATE = 2_000_000;
const SECONDS = 24;
const TICK_MS = 40;

const NOTHING = /^$/;
/**
 * Unavoidable when a decoder enters an open GOP of H.264: the leading pictures refer to pictures that were never sent. (Dropping them changes
 * nothing: measured with 2, 3 and 5 B pictures.)
 */
const LEADING_PICTURES = /mmco|co located POCs|non monotonically increasing dts|Last message repeated/;

/** A stream of 24 s. */
const make = (codec: ClipCodec): Buffer => codecClip(codec, SECONDS, ['-muxrate', String(MUX_RATE)]);

/** The warnings of ffmpeg, and the number of pictures it decoded. */
function decode(bytes: Buffer, tolerated: RegExp): { warnings: string[]; pictures: number } {
  const file = join(folder, 'seen.ts');
  writeFileSync(file, bytes);
  const { stderr, stdout } = spawnSync(
    'ffmpeg',
    ['-v', 'warning', '-i', file, '-map', '0:v', '-map', '0:a', '-progress', '-', '-f', 'null', '-'],
    { encoding: 'utf8' },
  );
  const pictures = Number(/frame=(\d+)(?![\s\S]*frame=)/.exec(stdout)?.[1] ?? Number.NaN);
  return { warnings: stderr.split('\n').filter((line) => line !== '' && !tolerated.test(line)), pictures };
}

/** A source that plays in real time up to a given second. */
class Source {
  #at = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly broadcast: Broadcast,
    private readonly clock: FakeClock,
  ) {}

  playTo(second: number): void {
    while (this.#at < (second * MUX_RATE) / 8) {
      const from = this.#at;
      this.#at += Math.floor((MUX_RATE / 8 / 1000) * TICK_MS);
      this.broadcast.write(this.bytes.subarray(from, this.#at));
      this.clock.advance(TICK_MS);
    }
  }
}

for (const codec of CLIP_CODECS) {
  const tolerated = codec.joinReportsErrors ? LEADING_PICTURES : NOTHING;
  describe.skipIf(!ENCODERS.includes(codec.encoder))(`${codec.name} (needs ffmpeg with ${codec.encoder})`, { timeout: 60_000 }, () => {
    it('is decoded without a warning after a join in the middle of the stream', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast(DEFAULT_BROADCAST_SETTINGS, clock);
      const source = new Source(make(codec), broadcast, clock);
      source.playTo(5.3);
      const sink = new FakeSink();
      broadcast.addViewer(sink, new RecordingHooks());
      source.playTo(9);
      broadcast.end();
      const { warnings, pictures } = decode(sink.bytes, tolerated);
      expect(warnings).toEqual([]);
      expect(pictures).toBeGreaterThan(4.2 * 25);
      expect(pictures).toBeLessThan(6 * 25);
    });

    it('is decoded without a warning by the first viewer, although the stream starts in the middle of a GOP', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, coldJoinMs: 200 }, clock);
      const source = new Source(make(codec).subarray(MUX_RATE / 8 + 77), broadcast, clock);
      const sink = new FakeSink();
      broadcast.addViewer(sink, new RecordingHooks());
      source.playTo(6);
      broadcast.end();
      const { warnings, pictures } = decode(sink.bytes, tolerated);
      expect(warnings).toEqual([]);
      expect(pictures).toBeGreaterThan(4.2 * 25);
    });

    it('is decoded without a warning by a slow viewer that has skipped twice', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, maxSeconds: 3 }, clock);
      const source = new Source(make(codec), broadcast, clock);
      source.playTo(3.3);
      const sink = new FakeSink();
      const viewer = broadcast.addViewer(sink, new RecordingHooks());
      source.playTo(6);
      sink.block();
      source.playTo(12.1);
      sink.unblock();
      source.playTo(14);
      sink.block();
      source.playTo(20.7);
      sink.unblock();
      source.playTo(22);
      broadcast.end();
      expect(viewer.skips).toBe(2);
      expect(decode(sink.bytes, tolerated).warnings).toEqual([]);
    });
  });
}

describe.skipIf(!ENCODERS.includes('libx264'))(
  'H.264 with only I pictures to start at (needs ffmpeg with libx264)',
  { timeout: 60_000 },
  () => {
    /** SPS and PPS before each I picture, no recovery point; the only IDR picture, at the start, is cut off. */
    const clip = make(H264_PLAIN_I).subarray(MUX_RATE / 8 + 77);

    it.each([
      ['the first viewer', 0],
      ['a viewer that joins later', 6.3],
    ])('%s gets pictures from the first second on', (_who, joinsAt) => {
      const clock = new FakeClock();
      const broadcast = new Broadcast(DEFAULT_BROADCAST_SETTINGS, clock);
      const source = new Source(clip, broadcast, clock);
      source.playTo(joinsAt);
      const sink = new FakeSink();
      broadcast.addViewer(sink, new RecordingHooks());
      source.playTo(joinsAt + 1.9);
      expect(sink.bytes.length).toBeGreaterThan(0);
      source.playTo(joinsAt + 6);
      broadcast.end();
      const { warnings, pictures } = decode(sink.bytes, LEADING_PICTURES);
      expect(warnings).toEqual([]);
      expect(pictures).toBeGreaterThan(4.9 * 25);
    });

    it('another source is entered at such a picture, and viewers get its pictures', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast(DEFAULT_BROADCAST_SETTINGS, clock);
      const sink = new FakeSink();
      broadcast.addViewer(sink, new RecordingHooks());
      new Source(clip, broadcast, clock).playTo(5);
      const next = broadcast.beginSwitch();
      // Another start of the stream: other bytes and another clock.
      const other = withOtherClock(make({ ...H264_PLAIN_I, options: [...H264_PLAIN_I.options, '-qmax', '40'] }), 900_000);
      for (let at = MUX_RATE / 8; at < MUX_RATE; at += 9400)
        (next.state === 'spliced' ? broadcast : next).write(other.subarray(at, at + 9400));
      expect([next.state, next.kind]).toEqual(['spliced', 'keyframe']);
      broadcast.end();
      const { warnings, pictures } = decode(sink.bytes, LEADING_PICTURES);
      expect(warnings).toEqual([]);
      expect(pictures).toBeGreaterThanOrEqual(9 * 25);
    });

    it('HLS gets its first segments within five seconds, each starting at such a picture', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast(DEFAULT_BROADCAST_SETTINGS, clock);
      const segments: Buffer[] = [];
      const segmenter = new Segmenter(1, ({ parts }) => segments.push(Buffer.concat(parts)));
      const failed = vi.fn();
      broadcast.follow({ onChunk: (...chunk) => segmenter.push(...chunk), onEnd: failed }, 6);
      new Source(clip, broadcast, clock).playTo(5);
      expect(segments.length).toBeGreaterThanOrEqual(3);
      for (const segment of segments) expect(decode(segment, LEADING_PICTURES).pictures).toBeGreaterThanOrEqual(20);
      expect(failed).not.toHaveBeenCalled();
    });
  },
);
