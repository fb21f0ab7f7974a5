/** Extracts pictures and audio from a shipped clip, which is a transport stream with one H.264 and one AAC stream. */
import { readFileSync } from 'node:fs';
import {
  NONE,
  PACKET_SIZE,
  WRAP_90K,
  distance,
  dtsOffset,
  payloadOffset,
  pesOffset,
  pidOf,
  ptsOffset,
  randomAccessIndicator,
  readTimestamp,
} from '@acexy/mpegts';
import { AUDIO_FRAMES_PER_LOOP, AUDIO_PID, FRAMES_PER_LOOP, VIDEO_PID } from './layout.js';

export interface Picture {
  /** Decoding time relative to that of the first picture, in 90 kHz ticks. */
  dts: number;
  /** Presentation time relative to the decoding time of the first picture, in 90 kHz ticks. */
  pts: number;
  keyframe: boolean;
  data: Buffer;
}

export interface Clip {
  pictures: Picture[];
  /** ADTS frames of 1024 samples. */
  audioFrames: Buffer[];
}

/** The clip does not have the frames of one loop. */
export class ClipError extends Error {
  readonly code = 'clip_unusable';
}

interface Unit {
  pts: number;
  dts: number;
  keyframe: boolean;
  parts: Uint8Array[];
}

function collectUnits(stream: Buffer, pid: number): Unit[] {
  const units: Unit[] = [];
  for (let at = 0; at + PACKET_SIZE <= stream.length; at += PACKET_SIZE) {
    if (pidOf(stream, at) !== pid) continue;
    const payload = payloadOffset(stream, at);
    if (payload === NONE) continue;
    const end = at + PACKET_SIZE;
    const pes = pesOffset(stream, at);
    if (pes === NONE) {
      units.at(-1)?.parts.push(stream.subarray(payload, end));
      continue;
    }
    const ptsAt = ptsOffset(stream, pes, end);
    const dtsAt = dtsOffset(stream, pes, end);
    const pts = ptsAt === NONE ? NONE : readTimestamp(stream, ptsAt);
    units.push({
      pts,
      dts: dtsAt === NONE ? pts : readTimestamp(stream, dtsAt),
      keyframe: randomAccessIndicator(stream, at),
      parts: [stream.subarray(pes + 9 + stream[pes + 8], end)],
    });
  }
  return units;
}

function adtsFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  let at = 0;
  while (at + 7 <= bytes.length && bytes[at] === 0xff && (bytes[at + 1] & 0xf6) === 0xf0) {
    const length = ((bytes[at + 3] & 0x03) << 11) | (bytes[at + 4] << 3) | (bytes[at + 5] >> 5);
    if (length < 7 || at + length > bytes.length) break;
    frames.push(bytes.subarray(at, at + length));
    at += length;
  }
  return frames;
}

/** @throws ClipError if the clip is not exactly one loop long */
export function parseClip(stream: Buffer): Clip {
  const video = collectUnits(stream, VIDEO_PID);
  // The encoder adds one audio frame to flush its delay; the loop does not need it.
  const audioFrames = adtsFrames(Buffer.concat(collectUnits(stream, AUDIO_PID).flatMap((unit) => unit.parts))).slice(
    0,
    AUDIO_FRAMES_PER_LOOP,
  );
  if (video.length !== FRAMES_PER_LOOP || audioFrames.length !== AUDIO_FRAMES_PER_LOOP || !video[0].keyframe) {
    throw new ClipError(
      `the clip has ${video.length} pictures and ${audioFrames.length} audio frames: it must have ${FRAMES_PER_LOOP} and ${AUDIO_FRAMES_PER_LOOP}, from a keyframe on`,
    );
  }
  const first = video[0].dts;
  return {
    pictures: video.map((unit) => ({
      dts: distance(first, unit.dts, WRAP_90K),
      pts: distance(first, unit.pts, WRAP_90K),
      keyframe: unit.keyframe,
      data: Buffer.concat(unit.parts),
    })),
    audioFrames,
  };
}

export type ClipName = 'picture' | 'picture-low';

/** Loads a clip from the folder `media/` of this package. */
export function loadClip(name: ClipName): Clip {
  return parseClip(readFileSync(new URL(`../../media/${name}.mpegts`, import.meta.url)));
}
