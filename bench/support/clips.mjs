/** Real MPEG-TS at a constant rate, with null packets, made by ffmpeg at the first use. */
import { execFileSync } from 'node:child_process';
import { cached } from './native.mjs';

const SECONDS = 20;
/** Noise makes the encoders use their whole bit rate. */
const PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=25,noise=alls=12:allf=t'];
const SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];

/** Arguments for a video rate in kb/s. */
const CODECS = {
  'h264-aac': (rate) => ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '50', '-maxrate', `${rate}k`, '-c:a', 'aac'],
  'hevc-ac3': (rate) => [
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params'],
    `log-level=none:keyint=50:vbv-maxrate=${rate}:vbv-bufsize=${rate / 2}`,
    ...['-c:a', 'ac3'],
  ],
  'mpeg2-mp2': (rate) => ['-c:v', 'mpeg2video', '-g', '12', '-bf', '2', '-maxrate', `${rate}k`, '-c:a', 'mp2'],
};

function clip(codec, megabits) {
  // About a twentieth is left for null packets.
  const videoRate = Math.round(megabits * 1000 * 0.9);
  return cached(`${codec}-${megabits}.ts`, (part) => {
    console.log(`encoding ${SECONDS} s of ${codec} at ${megabits} Mb/s`);
    const rates = ['-b:v', `${videoRate}k`, '-bufsize', `${videoRate / 2}k`, '-b:a', '128k', '-muxrate', `${megabits * 1000}k`];
    const output = ['-t', String(SECONDS), '-f', 'mpegts', part];
    execFileSync('ffmpeg', ['-v', 'error', ...PICTURE, ...SOUND, ...CODECS[codec](videoRate), ...rates, ...output], { stdio: 'inherit' });
  });
}

/** Files of this rate, each with another codec. */
export const clips = (megabits) => Object.keys(CODECS).map((codec) => clip(codec, megabits));
