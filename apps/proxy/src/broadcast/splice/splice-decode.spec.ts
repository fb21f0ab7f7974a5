/** A change of source as foreign decoders and an independent checker see it: streams of ffmpeg and of real clips, cut, moved and laid out anew. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  CLIP_CODECS,
  type ClipCodec,
  ENCODERS,
  H264,
  MPEG2,
  TEST_SOUND,
  codecClip,
  ffmpegClip,
} from '../../../../../test/doubles/ffmpeg-clips.js';
import { type TsFault, checkTs } from '../../../../../test/support/ts-checker.js';
import { Watched, undisturbed, withOtherClock, withoutNulls } from '../../../../../test/doubles/proxy/splice.fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'switching-decode-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MUX_RATE = 2_000_000;
const SECONDS = 30;
const BYTES_PER_SECOND = MUX_RATE / 8;

/** What cannot be avoided at an open group of H.264: its first pictures name others that were never sent. */
const LEADING_PICTURES = /mmco|co located POCs|Last message repeated/;

// Sound in small PES packets, as broadcasters send it: ffmpeg's own hold 0.4 s, and up to two are lost where one is cut.
const stream = (codec: ClipCodec, mux: readonly string[] = []): Buffer =>
  codecClip(codec, SECONDS, ['-pes_payload_size', '500', '-muxrate', String(MUX_RATE), ...mux]);

const pictures = new Map<Buffer, Set<string>>();

/** The pictures of a whole stream, which is decoded once. */
function picturesOf(source: Buffer): Set<string> {
  const known = pictures.get(source) ?? new Set(decode(source).pictures);
  pictures.set(source, known);
  return known;
}

interface Decoded {
  complaints: string[];
  /** A hash for each picture. */
  pictures: string[];
}

function decode(bytes: Buffer): Decoded {
  const file = join(folder, 'viewer.mpegts');
  writeFileSync(file, bytes);
  const args = ['-v', 'warning', '-i', file, '-map', '0:v', '-map', '0:a', '-fps_mode', 'passthrough', '-f', 'framemd5', '-'];
  const { stdout, stderr } = spawnSync('ffmpeg', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const pictures = stdout.split('\n').filter((line) => line.startsWith('0,'));
  return { complaints: stderr.split('\n').filter((line) => line !== ''), pictures: pictures.map((line) => line.split(',')[5].trim()) };
}

/** An unfinished PES of sound at each splice is all that may be left. */
function breaches(output: Buffer, splices: number): TsFault[] {
  const { faults } = checkTs(output);
  const cutSound = faults.filter(({ rule }) => rule === 'pes-length').slice(0, splices);
  return faults.filter((fault) => !cutSound.includes(fault));
}

const at = (seconds: number): number => Math.floor((seconds * BYTES_PER_SECOND) / 188) * 188;

const cases: { name: string; other: (bytes: Buffer) => Buffer; sameClock: boolean }[] = [
  { name: 'a gap of 3 s', other: (bytes) => bytes.subarray(at(13.2)), sameClock: true },
  { name: 'a jump of 15 s', other: (bytes) => bytes.subarray(at(25.3)), sameClock: true },
  { name: 'a clock an hour ahead', other: (bytes) => withOtherClock(bytes.subarray(at(6.3)), 3600 * 90_000), sameClock: false },
  { name: 'a clock 20 s behind', other: (bytes) => withOtherClock(bytes.subarray(at(6.3)), -20 * 90_000), sameClock: false },
];

for (const codec of CLIP_CODECS) {
  describe.skipIf(!ENCODERS.includes(codec.encoder))(`${codec.name}, decoded by ffmpeg (needs ffmpeg)`, () => {
    it.each(cases)('goes on over $name without damage', ({ other, sameClock }) => {
      const source = stream(codec);
      const whole = picturesOf(source);
      const watched = new Watched();
      watched.feed(source.subarray(0, at(10.2) + 77));
      const next = watched.switchTo(other(source));
      expect([next.state, next.kind]).toEqual(['spliced', 'keyframe']);
      const output = watched.finish();
      expect(breaches(output, 1)).toEqual([]);
      const { complaints, pictures } = decode(output);
      expect(complaints.filter((line) => !(codec.entersWithComplaints && LEADING_PICTURES.test(line)))).toEqual([]);
      const damaged = pictures.filter((picture) => !whole.has(picture));
      expect(damaged.length).toBeLessThanOrEqual(codec.entersWithComplaints ? 1 : 0);
      if (sameClock) expect(new Set(pictures).size).toBe(pictures.length);
    });
  });
}

describe.skipIf(!ENCODERS.includes('libx264'))('another layout of the same broadcast (needs ffmpeg)', () => {
  const LAYOUT = ['-mpegts_pmt_start_pid', '0x1100', '-mpegts_start_pid', '0x300', '-mpegts_service_id', '7'];

  it('is carried on under the numbers that viewers know', () => {
    const watched = new Watched();
    watched.feed(stream(H264).subarray(0, at(10.2) + 77));
    const next = watched.switchTo(stream(H264, LAYOUT).subarray(at(7.1)));
    expect([next.state, next.kind]).toEqual(['spliced', 'keyframe']);
    const output = watched.finish();
    expect(breaches(output, 1)).toEqual([]);
    const { units } = checkTs(output);
    expect([...units.keys()].filter((pid) => units.get(pid) !== 0)).toEqual([0x100, 0x101]);
    const whole = picturesOf(stream(H264));
    const { complaints, pictures } = decode(output);
    expect(complaints).toEqual([]);
    expect(pictures.filter((picture) => !whole.has(picture))).toEqual([]);
    expect(new Set(pictures).size).toBe(pictures.length);
    expect(pictures.length).toBeGreaterThan(25 * (SECONDS - 2));
  });

  it('and back again, and from there exactly on, is still one stream', () => {
    const watched = new Watched();
    const [first, second] = [stream(H264), stream(H264, LAYOUT)];
    watched.feed(first.subarray(0, at(6.2)));
    const kinds = [
      watched.switchTo(second.subarray(at(4.1), at(12.3) + 50)).kind,
      watched.switchTo(second.subarray(at(9.7), at(17.4))).kind,
      watched.switchTo(first.subarray(at(14), at(22.2))).kind,
      watched.switchTo(first.subarray(at(18.3))).kind,
    ];
    expect(kinds).toEqual(['keyframe', 'renumbered', 'keyframe', 'renumbered']);
    const output = watched.finish();
    expect(breaches(output, 2)).toEqual([]);
    const whole = picturesOf(first);
    const { complaints, pictures } = decode(output);
    expect(complaints).toEqual([]);
    expect(pictures.filter((picture) => !whole.has(picture))).toEqual([]);
    expect(new Set(pictures).size).toBe(pictures.length);
  });

  it('with another codec is refused, and the stream is left as it was', () => {
    const watched = new Watched();
    const source = stream(H264).subarray(0, at(10.2));
    watched.feed(source);
    const next = watched.switchTo(stream(MPEG2).subarray(at(7.1)));
    expect([next.state, next.refusal]).toEqual(['refused', { code: 'codec_changed', promised: 0x1b, offered: [0x02, 0x03] }]);
    const sent = withoutNulls(watched.finish()); // the wait was filled with nulls
    const last = withoutNulls(source).subarray(-188 * 40);
    expect(sent.subarray(-last.length).equals(last)).toBe(true);
  });
});

describe.skipIf(!ENCODERS.includes('mp2'))('sound alone (needs ffmpeg)', () => {
  it('goes on over a hole at the next unit', () => {
    const sound = ffmpegClip([...TEST_SOUND, '-t', '20', '-c:a', 'mp2', '-b:a', '192k', '-muxrate', '300000']);
    const second = sound.length / 20;
    const watched = new Watched();
    watched.feed(sound.subarray(0, Math.floor(second * 6.2)), { size: 2000 });
    expect(watched.switchTo(sound.subarray(Math.floor(second * 9.1)), { size: 2000 }).kind).toBe('keyframe');
    const output = watched.finish();
    expect(breaches(output, 1)).toEqual([]);
    const { status, stderr } = spawnSync('ffmpeg', ['-v', 'warning', '-i', '-', '-f', 'null', '-'], { input: output, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe.skipIf(!ENCODERS.includes('libx264'))('the same bytes (needs ffmpeg)', () => {
  it.each(CLIP_CODECS.filter(({ encoder }) => ENCODERS.includes(encoder)))('of $name go on byte for byte', (codec) => {
    const source = stream(codec);
    const watched = new Watched();
    watched.feed(source.subarray(0, at(10.2) + 77));
    expect(watched.switchTo(source.subarray(at(6.3), at(15.7) + 11), { ms: 0 }).kind).toBe('exact');
    expect(watched.switchTo(source.subarray(at(15.1) + 100), { ms: 0 }).kind).toBe('exact');
    expect(watched.finish().equals(undisturbed(source))).toBe(true);
  });
});
