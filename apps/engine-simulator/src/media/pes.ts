/** Elementary-stream data as PES packets with times relative to the start of the loop. */
import { WRAP_90K, wrapped, writeTimestamp } from '@acexy/mpegts';
import type { Clip } from './clip.js';
import { AUDIO_FRAME_TICKS, AUDIO_LEAD_TICKS, AUDIO_PID, GROUPS_PER_LOOP, LOOP_TICKS, VIDEO_LEAD_TICKS, VIDEO_PID } from './layout.js';

export interface PesPacket {
  pid: number;
  /** When its first byte may go out, ticks of 90 kHz after the start of the loop. */
  sendAt: number;
  keyframe: boolean;
  bytes: Buffer;
}

/** Audio frames in one PES packet: 107 ms of sound, few enough for a small decoder buffer. */
const AUDIO_FRAMES_PER_PES = 5;
const VIDEO_STREAM_ID = 0xe0;
const AUDIO_STREAM_ID = 0xc0;
const MAX_BOUNDED_LENGTH = 0xffff;

const GROUP_TICKS = LOOP_TICKS / GROUPS_PER_LOOP;
/**
 * The pictures of a group go out in this share of its time, and no sound begins in the last part of it: so a group's packets hold whole PES
 * packets, a segment cut there is complete, and nothing is left over at the end of the loop even at the lowest rate.
 */
const SHARE_OF_GROUP = 0.92;
const QUIET_TICKS = 40 * 90;

function pictureSendTime(dts: number): number {
  const into = dts % GROUP_TICKS;
  return dts - into + into * SHARE_OF_GROUP;
}

function soundSendTime(ticks: number): number {
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

/** All PES packets of one loop in sending order. A packet sent before the loop's end but played after it keeps its later time. */
export function loopOfPesPackets(clip: Clip): PesPacket[] {
  const packets: PesPacket[] = clip.pictures.map(({ dts, pts, keyframe, data }) => ({
    pid: VIDEO_PID,
    sendAt: pictureSendTime(dts),
    keyframe,
    bytes: pesPacket(VIDEO_STREAM_ID, pts + VIDEO_LEAD_TICKS, dts + VIDEO_LEAD_TICKS, [data]),
  }));
  // Sound begins with the first picture shown, which is later than the first one decoded.
  const soundStart = clip.pictures[0].pts + VIDEO_LEAD_TICKS;
  for (let first = 0; first < clip.audioFrames.length; first += AUDIO_FRAMES_PER_PES) {
    const late = soundStart + first * AUDIO_FRAME_TICKS - AUDIO_LEAD_TICKS;
    // What would be sent after the loop's end is sent at its start instead, one loop earlier.
    const turn = late >= LOOP_TICKS ? LOOP_TICKS : 0;
    const pts = late - turn + AUDIO_LEAD_TICKS;
    packets.push({
      pid: AUDIO_PID,
      sendAt: soundSendTime(late - turn),
      keyframe: false,
      bytes: pesPacket(AUDIO_STREAM_ID, pts, pts, clip.audioFrames.slice(first, first + AUDIO_FRAMES_PER_PES)),
    });
  }
  return packets.sort((a, b) => a.sendAt - b.sendAt);
}
