/** Checks switches with ffmpeg and an independent checker: streams that are cut, shifted in time and mapped to other PIDs. */
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
  TEST_AUDIO,
  codecClip,
  ffmpegClip,
} from '../../../../../test/doubles/ffmpeg-clips.js';
import { type TsFault, checkTs } from '../../../../../test/support/ts-checker.js';
import { WatchedBroadcast, outputWithoutSwitch, withOtherClock, withoutNulls } from '../../../../../test/doubles/proxy/splice.fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'switching-decode-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MUX_RATE = 2_000_000;
const SECONDS = 30;
const BYTES_PER_SECOND = MUX_RATE / 8;

/** Unavoidable at an open GOP of H.264: the leading pictures refer to pictures that were never sent. */
const LEADING_PICTURES = /mmco|co located POCs|Last message repeated/;

// Audio in small PES packets, as broadcasters send it: ffmpeg's default is 0.4 s per packet, and up to two are lost at a cut.
const stream = (codec: ClipCodec, mux: readonly string[] = []): Buffer =>
  codecClip(codec, SECONDS, ['-pes_payload_size', '500', '-muxrate', String(MUX_RATE), ...mux]);

const pictures = new Map<Buffer, Set<string>>();

/** The pictures of a whole stream, decoded once per stream. */
function picturesOf(source: Buffer): Set<string> {
  const known = pictures.get(source) ?? new Set(decode(source).pictures);
  pictures.set(source, known);
  return known;
}

interface Decoded {
  warnings: string[];
  /** One hash per picture. */
  pictures: string[];
}

function decode(bytes: Buffer): Decoded {
  const file = join(folder, 'viewer.mpegts');
  writeFileSync(file, bytes);
  const args = ['-v', 'warning', '-i', file, '-map', '0:v', '-map', '0:a', '-fps_mode', 'passthrough', '-f', 'framemd5', '-'];
  const { stdout, stderr } = spawnSync('ffmpeg', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const pictures = stdout.split('\n').filter((line) => line.startsWith('0,'));
  return { warnings: stderr.split('\n').filter((line) => line !== ''), pictures: pictures.map((line) => line.split(',')[5].trim()) };
}

/** All faults but one incomplete audio PES packet per splice. */
function faultsOf(output: Buffer, splices: number): TsFault[] {
  const { faults } = checkTs(output);
  const cutAudio = faults.filter(({ rule }) => rule === 'pes-length').slice(0, splices);
  return faults.filter((fault) => !cutAudio.includes(fault));
}

const at = (seconds: number): number => Math.floor((seconds * BYTES_PER_SECOND) / 188) * 188;

const cases: { name: string; other: (bytes: Buffer) => Buffer; sameClock: boolean }[] = [
  { name: 'a gap of 3 s', other: (bytes) => bytes.subarray(at(13.2)), sameClock: true },
  { name: 'a gap of 15 s', other: (bytes) => bytes.subarray(at(25.3)), sameClock: true },
  { name: 'a clock an hour ahead', other: (bytes) => withOtherClock(bytes.subarray(at(6.3)), 3600 * 90_000), sameClock: false },
  { name: 'a clock 20 s behind', other: (bytes) => withOtherClock(bytes.subarray(at(6.3)), -20 * 90_000), sameClock: false },
];

for (const codec of CLIP_CODECS) {
  describe.skipIf(!ENCODERS.includes(codec.encoder))(`${codec.name}, decoded by ffmpeg (needs ffmpeg)`, () => {
    it.each(cases)('continues over $name without damage', ({ other, sameClock }) => {
      const source = stream(codec);
      const whole = picturesOf(source);
      const watched = new WatchedBroadcast();
      watched.feed(source.subarray(0, at(10.2) + 77));
      const next = watched.switchTo(other(source));
      expect([next.state, next.kind]).toEqual(['spliced', 'keyframe']);
      const output = watched.finish();
      expect(faultsOf(output, 1)).toEqual([]);
      const { warnings, pictures } = decode(output);
      expect(warnings.filter((line) => !(codec.joinReportsErrors && LEADING_PICTURES.test(line)))).toEqual([]);
      const damaged = pictures.filter((picture) => !whole.has(picture));
      expect(damaged.length).toBeLessThanOrEqual(codec.joinReportsErrors ? 1 : 0);
      if (sameClock) expect(new Set(pictures).size).toBe(pictures.length);
    });
  });
}

describe.skipIf(!ENCODERS.includes('libx264'))('other PIDs of the same broadcast (needs ffmpeg)', () => {
  const OTHER_PIDS = ['-mpegts_pmt_start_pid', '0x1100', '-mpegts_start_pid', '0x300', '-mpegts_service_id', '7'];

  it('are mapped to the PIDs that viewers know', () => {
    const watched = new WatchedBroadcast();
    watched.feed(stream(H264).subarray(0, at(10.2) + 77));
    const next = watched.switchTo(stream(H264, OTHER_PIDS).subarray(at(7.1)));
    expect([next.state, next.kind]).toEqual(['spliced', 'keyframe']);
    const output = watched.finish();
    expect(faultsOf(output, 1)).toEqual([]);
    const { units } = checkTs(output);
    expect([...units.keys()].filter((pid) => units.get(pid) !== 0)).toEqual([0x100, 0x101]);
    const whole = picturesOf(stream(H264));
    const { warnings, pictures } = decode(output);
    expect(warnings).toEqual([]);
    expect(pictures.filter((picture) => !whole.has(picture))).toEqual([]);
    expect(new Set(pictures).size).toBe(pictures.length);
    expect(pictures.length).toBeGreaterThan(25 * (SECONDS - 2));
  });

  it('stay one stream through several switches, keyframe and exact', () => {
    const watched = new WatchedBroadcast();
    const [first, second] = [stream(H264), stream(H264, OTHER_PIDS)];
    watched.feed(first.subarray(0, at(6.2)));
    const kinds = [
      watched.switchTo(second.subarray(at(4.1), at(12.3) + 50)).kind,
      watched.switchTo(second.subarray(at(9.7), at(17.4))).kind,
      watched.switchTo(first.subarray(at(14), at(22.2))).kind,
      watched.switchTo(first.subarray(at(18.3))).kind,
    ];
    expect(kinds).toEqual(['keyframe', 'renumbered', 'keyframe', 'renumbered']);
    const output = watched.finish();
    expect(faultsOf(output, 2)).toEqual([]);
    const whole = picturesOf(first);
    const { warnings, pictures } = decode(output);
    expect(warnings).toEqual([]);
    expect(pictures.filter((picture) => !whole.has(picture))).toEqual([]);
    expect(new Set(pictures).size).toBe(pictures.length);
  });

  it('with another codec are refused, and the stream does not change', () => {
    const watched = new WatchedBroadcast();
    const source = stream(H264).subarray(0, at(10.2));
    watched.feed(source);
    const next = watched.switchTo(stream(MPEG2).subarray(at(7.1)));
    expect([next.state, next.refusal]).toEqual(['refused', { code: 'codec_changed', promised: 0x1b, offered: [0x02, 0x03] }]);
    const sent = withoutNulls(watched.finish()); // null packets filled the wait
    const last = withoutNulls(source).subarray(-188 * 40);
    expect(sent.subarray(-last.length).equals(last)).toBe(true);
  });
});

describe.skipIf(!ENCODERS.includes('mp2'))('audio without video (needs ffmpeg)', () => {
  it('continues over a gap at the next unit', () => {
    const audio = ffmpegClip([...TEST_AUDIO, '-t', '20', '-c:a', 'mp2', '-b:a', '192k', '-muxrate', '300000']);
    const second = audio.length / 20;
    const watched = new WatchedBroadcast();
    watched.feed(audio.subarray(0, Math.floor(second * 6.2)), { size: 2000 });
    expect(watched.switchTo(audio.subarray(Math.floor(second * 9.1)), { size: 2000 }).kind).toBe('keyframe');
    const output = watched.finish();
    expect(faultsOf(output, 1)).toEqual([]);
    const { status, stderr } = spawnSync('ffmpeg', ['-v', 'warning', '-i', '-', '-f', 'null', '-'], { input: output, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe.skipIf(!ENCODERS.includes('libx264'))('the same bytes (needs ffmpeg)', () => {
  it.each(CLIP_CODECS.filter(({ encoder }) => ENCODERS.includes(encoder)))('of $name go on byte for byte', (codec) => {
    const source = stream(codec);
    const watched = new WatchedBroadcast();
    watched.feed(source.subarray(0, at(10.2) + 77));
    expect(watched.switchTo(source.subarray(at(6.3), at(15.7) + 11), { ms: 0 }).kind).toBe('exact');
    expect(watched.switchTo(source.subarray(at(15.1) + 100), { ms: 0 }).kind).toBe('exact');
    expect(watched.finish().equals(outputWithoutSwitch(source))).toBe(true);
  });
});
