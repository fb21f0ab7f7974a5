/** Makes PES packets of a clip, with times relative to the start of the loop. */
import { WRAP_90K, wrapped, writeTimestamp } from '@acexy/mpegts';
import type { Clip } from './clip.js';
import { AUDIO_FRAME_TICKS, AUDIO_LEAD_TICKS, AUDIO_PID, GROUPS_PER_LOOP, LOOP_TICKS, VIDEO_LEAD_TICKS, VIDEO_PID } from './layout.js';

export interface PesPacket {
  pid: number;
  /** Time from which it is sent, in 90 kHz ticks after the start of the loop. */
  sendAt: number;
  keyframe: boolean;
  bytes: Buffer;
}

/** Audio frames in one PES packet: 107 ms, little enough for a small decoder buffer. */
const AUDIO_FRAMES_PER_PES = 5;
const VIDEO_STREAM_ID = 0xe0;
const AUDIO_STREAM_ID = 0xc0;
const MAX_BOUNDED_LENGTH = 0xffff;

const GROUP_TICKS = LOOP_TICKS / GROUPS_PER_LOOP;
/**
 * The pictures of a group are sent in this share of its time, and no audio packet begins in its last part. So every group has complete PES
 * packets, a segment that is cut there is complete, and everything fits into the loop at the lowest rate.
 */
const SHARE_OF_GROUP = 0.92;
const QUIET_TICKS = 40 * 90;

function pictureSendTime(dts: number): number {
  const into = dts % GROUP_TICKS;
  return dts - into + into * SHARE_OF_GROUP;
}

function audioSendTime(ticks: number): number {
  const left = GROUP_TICKS - (ticks % GROUP_TICKS);
  return left < QUIET_TICKS ? ticks - (QUIET_TICKS - left) : ticks;
}

function pesPacket(streamId: number, pts: number, dts: number, data: Buffer[]): Buffer {
  const hasDts = pts !== dts;
  const stamps = hasDts ? 10 : 5;
  const header = Buffer.alloc(9 + stamps);
  const length = data.reduce((sum, part) => sum + part.length, 3 + stamps);
  header.set([0, 0, 1, streamId]);
  // 0 = unbounded, which only video may be (ISO/IEC 13818-1, 2.4.3.7).
  header.writeUInt16BE(length > MAX_BOUNDED_LENGTH ? 0 : length, 4);
  header.set([0x84, hasDts ? 0xc0 : 0x80, stamps], 6);
  header[9] = hasDts ? 0x31 : 0x21;
  writeTimestamp(header, 9, wrapped(pts, WRAP_90K));
  if (hasDts) {
    header[14] = 0x11;
    writeTimestamp(header, 14, wrapped(dts, WRAP_90K));
  }
  return Buffer.concat([header, ...data]);
}

/** All PES packets of one loop, in sending order. A packet that is sent before the end of the loop may be played after it. */
export function loopOfPesPackets(clip: Clip): PesPacket[] {
  const packets: PesPacket[] = clip.pictures.map(({ dts, pts, keyframe, data }) => ({
    pid: VIDEO_PID,
    sendAt: pictureSendTime(dts),
    keyframe,
    bytes: pesPacket(VIDEO_STREAM_ID, pts + VIDEO_LEAD_TICKS, dts + VIDEO_LEAD_TICKS, [data]),
  }));
  // Audio begins with the first picture that is shown, which is later than the first one that is decoded.
  const audioStart = clip.pictures[0].pts + VIDEO_LEAD_TICKS;
  for (let first = 0; first < clip.audioFrames.length; first += AUDIO_FRAMES_PER_PES) {
    const sendAt = audioStart + first * AUDIO_FRAME_TICKS - AUDIO_LEAD_TICKS;
    // A packet that would be sent after the end of the loop is sent at its start instead, one loop earlier.
    const shift = sendAt >= LOOP_TICKS ? LOOP_TICKS : 0;
    const pts = sendAt - shift + AUDIO_LEAD_TICKS;
    packets.push({
      pid: AUDIO_PID,
      sendAt: audioSendTime(sendAt - shift),
      keyframe: false,
      bytes: pesPacket(AUDIO_STREAM_ID, pts, pts, clip.audioFrames.slice(first, first + AUDIO_FRAMES_PER_PES)),
    });
  }
  return packets.sort((a, b) => a.sendAt - b.sendAt);
}
