/** What ffmpeg says about the bytes that viewers get: joined in mid-stream, and jumped over a piece of it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Broadcast, DEFAULT_BROADCAST_SETTINGS } from './broadcast.js';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { CLIP_CODECS, type ClipCodec, ENCODERS, codecClip } from '../../../../test/doubles/ffmpeg-clips.js';
import { FakeSink, NotingHooks } from '../../../../test/doubles/proxy/broadcast.fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'broadcast-decode-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MUX_RATE = 2_000_000;
const SECONDS = 24;
const TICK_MS = 40;

const NOTHING = /^$/;
/**
 * What cannot be avoided where a decoder enters an open group of H.264, on a join or a jump: the first pictures name others that were never
 * sent. (Leaving them out changes nothing: measured with 2, 3 and 5 B pictures.)
 */
const LEADING_PICTURES = /mmco|co located POCs|non monotonically increasing dts|Last message repeated/;

/** A stream of 24 s. */
const make = (codec: ClipCodec): Buffer => codecClip(codec, SECONDS, ['-muxrate', String(MUX_RATE)]);

/** What ffmpeg has to complain about, and how many pictures it showed. */
function decode(bytes: Buffer, tolerated: RegExp): { complaints: string[]; pictures: number } {
  const file = join(folder, 'seen.ts');
  writeFileSync(file, bytes);
  const { stderr, stdout } = spawnSync(
    'ffmpeg',
    ['-v', 'warning', '-i', file, '-map', '0:v', '-map', '0:a', '-progress', '-', '-f', 'null', '-'],
    { encoding: 'utf8' },
  );
  const pictures = Number(/frame=(\d+)(?![\s\S]*frame=)/.exec(stdout)?.[1] ?? Number.NaN);
  return { complaints: stderr.split('\n').filter((line) => line !== '' && !tolerated.test(line)), pictures };
}

/** A source that plays in real time up to a second of its own. */
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
  const tolerated = codec.entersWithComplaints ? LEADING_PICTURES : NOTHING;
  describe.skipIf(!ENCODERS.includes(codec.encoder))(`${codec.name} (needs ffmpeg with ${codec.encoder})`, { timeout: 60_000 }, () => {
    it('is decoded without a complaint by whoever joins in mid-stream', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast(DEFAULT_BROADCAST_SETTINGS, clock);
      const source = new Source(make(codec), broadcast, clock);
      source.playTo(5.3);
      const sink = new FakeSink();
      broadcast.addViewer(sink, new NotingHooks());
      source.playTo(9);
      broadcast.end();
      const { complaints, pictures } = decode(sink.bytes, tolerated);
      expect(complaints).toEqual([]);
      expect(pictures).toBeGreaterThan(4.2 * 25);
      expect(pictures).toBeLessThan(6 * 25);
    });

    it('is decoded without a complaint by the first viewer of all, though the stream begins in the middle of a group', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, coldJoinMs: 200 }, clock);
      const source = new Source(make(codec).subarray(MUX_RATE / 8 + 77), broadcast, clock);
      const sink = new FakeSink();
      broadcast.addViewer(sink, new NotingHooks());
      source.playTo(6);
      broadcast.end();
      const { complaints, pictures } = decode(sink.bytes, tolerated);
      expect(complaints).toEqual([]);
      expect(pictures).toBeGreaterThan(4.2 * 25);
    });

    it('is decoded without a complaint by a slow viewer that has jumped, twice', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, maxSeconds: 3 }, clock);
      const source = new Source(make(codec), broadcast, clock);
      source.playTo(3.3);
      const sink = new FakeSink();
      const viewer = broadcast.addViewer(sink, new NotingHooks());
      source.playTo(6);
      sink.stick();
      source.playTo(12.1);
      sink.recover();
      source.playTo(14);
      sink.stick();
      source.playTo(20.7);
      sink.recover();
      source.playTo(22);
      broadcast.end();
      expect(viewer.skips).toBe(2);
      expect(decode(sink.bytes, tolerated).complaints).toEqual([]);
    });
  });
}
