/** MPEG-TS clips encoded by ffmpeg. A clip is encoded once and kept in node_modules/.cache, because encoding takes longer than the tests that use it. */
import { createHash } from 'node:crypto';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/test-clips/', import.meta.url));
const VERSION = spawnSync('ffmpeg', ['-version'], { encoding: 'utf8' }).stdout ?? '';
const clips = new Map<string, Buffer>();

/** The list of ffmpeg's encoders as it prints them; empty where ffmpeg is not installed. */
export const ENCODERS = VERSION === '' ? '' : spawnSync('ffmpeg', ['-hide_banner', '-encoders'], { encoding: 'utf8' }).stdout;

export const TEST_PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'];
export const TEST_AUDIO = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];

export interface ClipCodec {
  name: string;
  encoder: string;
  options: string[];
  /** A decoder that joins reports errors: the first pictures of an open H.264 group refer to pictures that were never sent. */
  joinReportsErrors?: boolean;
}

export const H264: ClipCodec = { name: 'H.264', encoder: 'libx264', options: ['-preset', 'ultrafast', '-g', '25', '-bf', '0'] };
export const MPEG2: ClipCodec = { name: 'MPEG-2', encoder: 'mpeg2video', options: ['-g', '12', '-bf', '2', '-b:v', '1M'] };
/** The groups are open, and the recovery points (SEI) are removed: no picture is marked as a random-access point except the first one, an IDR. */
export const H264_PLAIN_I: ClipCodec = {
  name: 'H.264 with plain I pictures',
  encoder: 'libx264',
  options: ['-preset', 'veryfast', '-g', '25', '-bf', '2', '-x264-params', 'open-gop=1', '-bsf:v', 'filter_units=remove_types=6'],
  joinReportsErrors: true,
};
export const CLIP_CODECS: readonly ClipCodec[] = [
  H264,
  {
    name: 'H.264 with open groups',
    encoder: 'libx264',
    options: ['-preset', 'veryfast', '-g', '25', '-bf', '2', '-x264-params', 'open-gop=1'],
    joinReportsErrors: true,
  },
  {
    name: 'HEVC with open groups',
    encoder: 'libx265',
    options: ['-preset', 'ultrafast', '-g', '25', '-x265-params', 'log-level=none:open-gop=1:bframes=3'],
  },
  MPEG2,
];

/** The MPEG-TS that ffmpeg writes with these arguments. */
export function ffmpegClip(args: readonly string[]): Buffer {
  const name = createHash('sha256')
    .update([VERSION, ...args].join('\n'))
    .digest('hex');
  const known = clips.get(name);
  if (known !== undefined) return known;
  const file = `${CACHE}${name}.ts`;
  if (!existsSync(file)) {
    mkdirSync(CACHE, { recursive: true });
    const part = `${file}.${process.pid}`;
    execFileSync('ffmpeg', ['-v', 'error', ...args, '-f', 'mpegts', '-y', part]);
    // Another worker may read the clip at any moment: so it must appear complete.
    renameSync(part, file);
  }
  const clip = readFileSync(file);
  clips.set(name, clip);
  return clip;
}

/** Test video and audio of this length in this codec. */
export function codecClip({ encoder, options }: ClipCodec, seconds: number, mux: readonly string[]): Buffer {
  const audio = ['-c:a', encoder === 'mpeg2video' ? 'mp2' : 'aac', '-b:a', '64k'];
  return ffmpegClip([...TEST_PICTURE, ...TEST_AUDIO, '-c:v', encoder, ...options, ...audio, '-t', String(seconds), ...mux]);
}
