/** Shared by the broadcast tests: a synthetic stream, controllable connections, and an independent reader of the output. */
import { expect } from 'vitest';
import { PACKET_SIZE, buildPat, buildPmt, packetizeSection } from '@acexy/mpegts';
import type { ViewerEndReason, ViewerHooks, ViewerSink } from '../../../apps/proxy/src/broadcast/broadcast.js';

export const PMT_PID = 0x1000;
export const VIDEO_PID = 0x100;
export const AUDIO_PID = 0x101;
/** Ticks of 90 kHz. */
const FRAME = 3600;
/** Start code of an H.264 keyframe. */
const KEYFRAME = Buffer.from([0, 0, 1, 0x65]);

/** A connection that completes every write at once, or none while it is blocked. Like the system, it copies the bytes when a write completes. */
export class FakeSink implements ViewerSink {
  readonly writes: Buffer[] = [];
  /** The buffers themselves, whose memory may have been used again. */
  readonly shared: Buffer[] = [];
  ended = false;
  unfinished = 0;
  mostUnfinished = 0;
  #blocked = false;
  #done: ((error?: Error | null) => void) | null = null;
  #final: Buffer | null = null;

  constructor(readonly framing: 'chunked' | 'raw' = 'raw') {}

  write(bytes: Buffer, done: (error?: Error | null) => void): void {
    if (this.ended) throw new Error('the sink was written to after its end');
    this.writes.push(bytes);
    this.shared.push(bytes);
    this.unfinished += 1;
    this.mostUnfinished = Math.max(this.mostUnfinished, this.unfinished);
    this.#done = done;
    if (!this.#blocked) this.finish();
  }

  end(finalBytes?: Buffer): void {
    this.ended = true;
    this.#final = finalBytes ?? null;
  }

  block(): void {
    this.#blocked = true;
  }

  /** Completes the unfinished write, then all others at once. */
  unblock(): void {
    this.#blocked = false;
    this.finish();
  }

  finish(error?: Error): void {
    const done = this.#done;
    this.#done = null;
    if (done === null) return;
    this.writes.push(Buffer.from(this.writes.pop() ?? []));
    this.unfinished -= 1;
    done(error);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#final === null ? this.writes : [...this.writes, this.#final]);
  }
}

/** Records the hooks of a viewer. */
export class RecordingHooks implements ViewerHooks {
  firstBytes = 0;
  readonly ends: ViewerEndReason[] = [];
  onSkip?: () => void;

  onFirstByte(): void {
    this.firstBytes += 1;
  }

  onEnd(reason: ViewerEndReason): void {
    this.ends.push(reason);
  }
}

export interface SyntheticStreamOptions {
  /** Frames per GOP. */
  gop?: number;
  /** Packets per picture. */
  videoPackets?: number;
  /** Added to all clocks (90 kHz). */
  clockStart?: number;
}

/** A stream at 25 frames a second with the structure of H.264, audio PES packets of three packets, and tables every four frames. */
export class SyntheticStream {
  readonly #counters = new Map<number, number>();
  #frame = 0;
  readonly #gop: number;
  readonly #videoPackets: number;
  readonly #clockStart: number;

  constructor({ gop = 25, videoPackets = 20, clockStart = 900_000 }: SyntheticStreamOptions = {}) {
    this.#gop = gop;
    this.#videoPackets = videoPackets;
    this.#clockStart = clockStart;
  }

  /** The packets of the next `count` frames. */
  frames(count: number): Buffer {
    return Buffer.concat(Array.from({ length: count }, () => this.#next()));
  }

  #next(): Buffer {
    const index = this.#frame++;
    const time = this.#clockStart + index * FRAME;
    const parts: Buffer[] = [];
    if (index % 4 === 0) {
      const pmt = {
        programNumber: 1,
        version: 0,
        pcrPid: VIDEO_PID,
        descriptors: new Uint8Array(),
        streams: [
          { pid: VIDEO_PID, streamType: 0x1b, descriptors: new Uint8Array() },
          { pid: AUDIO_PID, streamType: 0x0f, descriptors: new Uint8Array() },
        ],
      };
      parts.push(packetizeSection(buildPat({ programNumber: 1, pmtPid: PMT_PID, version: 0, transportStreamId: 1 }), 0, this.#count(0)));
      parts.push(packetizeSection(buildPmt(pmt), PMT_PID, this.#count(PMT_PID)));
    }
    const key = index % this.#gop === 0;
    const head = key
      ? [0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88]
      : [0, 0, 1, 9, 0xf0, 0, 0, 1, 0x41, 0x9a];
    const video = this.#pes(VIDEO_PID, 0xe0, time, head, this.#videoPackets, true);
    const audio = this.#pes(AUDIO_PID, 0xc0, time, [0xff, 0xf1], 3, false);
    // The audio of a frame is sent in the middle of the next picture, so that no picture starts or ends together with it.
    const half = Math.floor(this.#videoPackets / 2) * PACKET_SIZE;
    parts.push(video.subarray(0, half), this.#heldAudio, audio.subarray(0, PACKET_SIZE), video.subarray(half));
    this.#heldAudio = audio.subarray(PACKET_SIZE);
    return Buffer.concat(parts);
  }

  #heldAudio: Buffer = Buffer.alloc(0);

  #count(pid: number): number {
    const counter = ((this.#counters.get(pid) ?? 6) + 1) & 0x0f;
    this.#counters.set(pid, counter);
    return counter;
  }

  #pes(pid: number, streamId: number, time: number, head: number[], packets: number, pcr: boolean): Buffer {
    const bytes = Buffer.alloc(packets * PACKET_SIZE);
    for (let index = 0; index < packets; index += 1) {
      const at = index * PACKET_SIZE;
      for (let offset = at + 4; offset < at + PACKET_SIZE; offset += 1) bytes[offset] = 0x80 | ((time / FRAME + offset * 7) & 0x3f);
      const withPcr = pcr && index === 0;
      bytes.set([0x47, (index === 0 ? 0x40 : 0) | (pid >> 8), pid & 0xff, (withPcr ? 0x30 : 0x10) | this.#count(pid)], at);
      if (index > 0) continue;
      let offset = at + 4;
      if (withPcr) {
        const base = (time - 9000) % 2 ** 33;
        const low = base % 2 ** 25;
        bytes.set(
          [7, 0x10, Math.floor(base / 2 ** 25), low >> 17, (low >> 9) & 0xff, (low >> 1) & 0xff, ((low & 1) << 7) | 0x7e, 0],
          offset,
        );
        offset += 8;
      }
      const high = Math.floor(time / 2 ** 30) & 7;
      const rest = time % 2 ** 30;
      bytes.set(
        [
          0,
          0,
          1,
          streamId,
          0,
          0,
          0x84,
          0x80,
          5,
          0x21 | (high << 1),
          rest >> 22,
          ((rest >> 14) & 0xfe) | 1,
          (rest >> 7) & 0xff,
          ((rest << 1) & 0xfe) | 1,
        ],
        offset,
      );
      bytes.set(head, offset + 14);
    }
    return bytes;
  }
}

export interface SeenPacket {
  readonly pid: number;
  readonly start: boolean;
  readonly counter: number;
  readonly payload: boolean;
  /** 90 kHz; null if the packet has none. */
  readonly pcr: number | null;
  readonly pts: number | null;
  readonly key: boolean;
  readonly bytes: Buffer;
}

/** Parses packets independently of @acexy/mpegts. Fails if the last packet is incomplete. */
export function packetsOf(bytes: Buffer): SeenPacket[] {
  expect(bytes.length % 188).toBe(0);
  const packets: SeenPacket[] = [];
  for (let at = 0; at < bytes.length; at += 188) {
    const packet = bytes.subarray(at, at + 188);
    // `expect` for each of some 100,000 packets takes longer than all the rest of a test.
    if (packet[0] !== 0x47) expect(packet[0]).toBe(0x47);
    const start = (packet[1] & 0x40) > 0;
    const field = (packet[3] & 0x20) > 0;
    const payload = (packet[3] & 0x10) > 0;
    const pcr = field && packet[4] > 6 && (packet[5] & 0x10) > 0 ? packet.readUInt32BE(6) * 2 + (packet[10] >> 7) : null;
    const from = field ? 5 + packet[4] : 4;
    const pes = start && payload && packet.readUIntBE(from, 3) === 1;
    const pts =
      pes && (packet[from + 7] & 0x80) > 0
        ? ((packet[from + 9] >> 1) & 7) * 2 ** 30 + (packet.readUInt16BE(from + 10) >> 1) * 2 ** 15 + (packet.readUInt16BE(from + 12) >> 1)
        : null;
    packets.push({
      pid: packet.readUInt16BE(1) & 0x1fff,
      start,
      counter: packet[3] & 0x0f,
      payload,
      pcr,
      pts,
      key: pes && packet.includes(KEYFRAME),
      bytes: packet,
    });
  }
  return packets;
}

/** Checks a viewer's bytes: counters are continuous, and clocks never go back or jump. */
export function expectContinuousStream(bytes: Buffer): SeenPacket[] {
  const packets = packetsOf(bytes);
  const counters = new Map<number, number>();
  const times = new Map<number, number>();
  let pcr: number | null = null;
  packets.forEach((packet, index) => {
    if (packet.pid === 0x1fff) return;
    const last = counters.get(packet.pid);
    const due = last === undefined ? packet.counter : packet.payload ? (last + 1) % 16 : last;
    if (packet.counter !== due) expect([index, packet.pid, packet.counter]).toEqual([index, packet.pid, due]);
    counters.set(packet.pid, packet.counter);
    if (packet.pts !== null) {
      const before = times.get(packet.pid);
      if (before !== undefined) expectForward(before, packet.pts);
      times.set(packet.pid, packet.pts);
    }
    if (packet.pcr === null) return;
    if (pcr !== null) expectForward(pcr, packet.pcr);
    pcr = packet.pcr;
  });
  return packets;
}

/** Later by at most half a second (90 kHz), also over the wrap. */
function expectForward(before: number, after: number): void {
  const step = (after - before + 2 ** 33) % 2 ** 33;
  if (step > 0 && step <= 45_000) return;
  expect(step).toBeGreaterThan(0);
  expect(step).toBeLessThanOrEqual(45_000);
}

/** Checks for PAT, PMT and the first packet of a keyframe at the start; every other stream starts with a unit. */
export function expectCleanStart(packets: readonly SeenPacket[]): void {
  expect(packets.slice(0, 3).map(({ pid }) => pid)).toEqual([0, PMT_PID, VIDEO_PID]);
  expect(packets[2].key).toBe(true);
  const seen = new Set<number>();
  for (const { pid, start, payload } of packets) {
    if (!payload || seen.has(pid)) continue;
    seen.add(pid);
    expect([pid, start]).toEqual([pid, true]);
  }
}

/** The stream in a chunked body, and whether the body ends with the last chunk. */
export function dechunk(body: Buffer): { bytes: Buffer; ended: boolean } {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    const line = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, line), 16);
    expect(Number.isNaN(size)).toBe(false);
    expect(body.toString('latin1', line + 2 + size, line + 4 + size)).toBe('\r\n');
    if (size === 0) return { bytes: Buffer.concat(parts), ended: line + 4 === body.length };
    parts.push(body.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
  return { bytes: Buffer.concat(parts), ended: false };
}
