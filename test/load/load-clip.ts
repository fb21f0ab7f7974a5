/** The picture of the load test: one loop of the engine simulator that fills a given bit rate, so that few of its packets are null packets. */
import { parseClip } from '../../apps/engine-simulator/src/media/clip.js';
import { type LoopTemplate, multiplex, packetsPerLoop } from '../../apps/engine-simulator/src/media/multiplexer.js';
import { loopOfPesPackets } from '../../apps/engine-simulator/src/media/pes.js';
import { ffmpegClip } from '../doubles/ffmpeg-clips.js';

/** Share of the bit rate for the video. The rest is audio, headers, tables and null packets. */
const VIDEO_SHARE = 0.86;
/** Seconds of video in the encoder's buffer: every picture must arrive before it is decoded. */
const BUFFER_S = 0.35;
const SECONDS = '19.2';

/** The loop that every engine sends at this rate. ffmpeg makes its clip at the first use. */
export function loadTestLoop(megabits: number): LoopTemplate {
  const kilobits = Math.round(megabits * 1000 * VIDEO_SHARE);
  const clip = ffmpegClip([
    ...['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=25:duration=${SECONDS}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${SECONDS}`],
    // Noise, because the plain test picture does not need so many bits.
    ...['-vf', 'noise=alls=12:allf=t,format=yuv420p', '-c:v', 'libx264', '-preset', 'superfast', '-bf', '2'],
    ...['-b:v', `${kilobits}k`, '-maxrate', `${kilobits}k`, '-bufsize', `${Math.round(kilobits * BUFFER_S)}k`],
    ...['-x264-params', 'keyint=48:min-keyint=48:scenecut=0:open-gop=0', '-c:a', 'aac', '-b:a', '64k', '-ac', '2'],
  ]);
  return multiplex(loopOfPesPackets(parseClip(clip)), packetsPerLoop(megabits * 1e6));
}
