/** What ffmpeg says about the bytes that viewers get: joined in mid-stream, and jumped over a piece of it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Broadcast, DEFAULT_BROADCAST_SETTINGS } from './broadcast.js';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { FakeSink, NotingHooks } from '../../../../test/doubles/proxy/broadcast.fixture.js';

const encoders = spawnSync('ffmpeg', ['-hide_banner', '-encoders'], { encoding: 'utf8' }).stdout ?? '';
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

const codecs: { name: string; encoder: string; options: string[]; tolerated?: RegExp }[] = [
  { name: 'H.264', encoder: 'libx264', options: ['-preset', 'ultrafast', '-g', '25', '-bf', '0'] },
  {
    name: 'H.264 with open groups',
    encoder: 'libx264',
    options: ['-preset', 'veryfast', '-g', '25', '-bf', '2', '-x264-params', 'open-gop=1'],
    tolerated: LEADING_PICTURES,
  },
  {
    name: 'HEVC with open groups',
    encoder: 'libx265',
    options: ['-preset', 'ultrafast', '-g', '25', '-x265-params', 'log-level=none:open-gop=1:bframes=3'],
  },
  { name: 'MPEG-2', encoder: 'mpeg2video', options: ['-g', '12', '-bf', '2', '-b:v', '1M'] },
];

const streams = new Map<string, Buffer>();

/** A stream of 24 s; each is encoded once. */
function make(encoder: string, options: readonly string[]): Buffer {
  const key = [encoder, ...options].join(' ');
  const stream = streams.get(key) ?? encode(encoder, options);
  streams.set(key, stream);
  return stream;
}

function encode(encoder: string, options: readonly string[]): Buffer {
  const file = join(folder, 'source.ts');
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];
  const video = ['-c:v', encoder, ...options];
  const mux = [
    '-c:a',
    encoder === 'mpeg2video' ? 'mp2' : 'aac',
    '-b:a',
    '64k',
    '-t',
    String(SECONDS),
    '-muxrate',
    String(MUX_RATE),
    '-f',
    'mpegts',
    '-y',
    file,
  ];
  execFileSync('ffmpeg', ['-v', 'error', ...picture, ...video, ...mux]);
  return readFileSync(file);
}

/** What ffmpeg has to complain about, and how many pictures it showed. */
function decode(bytes: Buffer, tolerated: RegExp = NOTHING): { complaints: string[]; pictures: number } {
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

for (const { name, encoder, options, tolerated } of codecs) {
  describe.skipIf(!encoders.includes(encoder))(`${name} (needs ffmpeg with ${encoder})`, { timeout: 60_000 }, () => {
    it('is decoded without a complaint by whoever joins in mid-stream', () => {
      const clock = new FakeClock();
      const broadcast = new Broadcast(DEFAULT_BROADCAST_SETTINGS, clock);
      const source = new Source(make(encoder, options), broadcast, clock);
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
      const source = new Source(make(encoder, options).subarray(MUX_RATE / 8 + 77), broadcast, clock);
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
      const source = new Source(make(encoder, options), broadcast, clock);
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
