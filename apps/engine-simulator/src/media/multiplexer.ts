/**
 * Multiplexes one loop at a constant rate: every packet has a slot, and null packets fill the rest. Times are relative to the start of the
 * loop; the timeline adds the start time of each loop.
 */
import {
  CLOCK_27M,
  NULL_PACKET,
  PACKET_SIZE,
  SYNC_BYTE,
  buildPat,
  buildPmt,
  packetizeSection,
  setContinuityCounter,
  writePcr,
} from '@acexy/mpegts';
import {
  AUDIO_PID,
  GROUPS_PER_LOOP,
  LOOP_MS,
  LOOP_TICKS,
  MARKERS_PER_LOOP,
  MARKER_PID,
  PCR_INTERVAL_MS,
  PMT_PID,
  TABLES_PER_LOOP,
  VIDEO_PID,
} from './layout.js';
import type { PesPacket } from './pes.js';

/** Bits that say what the timeline must rewrite in a packet of the loop. */
export const Patch = { none: 0, videoCounter: 1, audioCounter: 2, clock: 4, timestamps: 8, marker: 16 } as const;

export interface LoopTemplate {
  /** Packets in the loop. */
  packets: number;
  bytes: Buffer;
  /** One set of `Patch` bits for each packet. */
  patches: Uint8Array;
  /** Packets with payload in one loop, by which the continuity counters advance. */
  videoPackets: number;
  audioPackets: number;
  /** Slots at which a group of pictures begins with its PAT. */
  groupStarts: number[];
}

/** The bitrate is too low for the clip. */
export class MuxRateError extends Error {
  readonly code = 'mux_rate_too_low';
}

const LOOP_TICKS_27M = (LOOP_MS / 1000) * CLOCK_27M;

/** Packets in a loop at about `bitsPerSecond`. */
export function packetsPerLoop(bitsPerSecond: number): number {
  return Math.round((bitsPerSecond * LOOP_MS) / 1000 / (PACKET_SIZE * 8));
}

const patSection = packetizeSection(buildPat({ programNumber: 1, pmtPid: PMT_PID, version: 0, transportStreamId: 1 }));
const pmtSection = packetizeSection(
  buildPmt({
    programNumber: 1,
    version: 0,
    pcrPid: VIDEO_PID,
    descriptors: new Uint8Array(),
    streams: [
      { pid: VIDEO_PID, streamType: 0x1b, descriptors: new Uint8Array() },
      // ISO 639 language descriptor: undetermined.
      { pid: AUDIO_PID, streamType: 0x0f, descriptors: Uint8Array.of(0x0a, 4, 0x75, 0x6e, 0x64, 0) },
    ],
  }),
  PMT_PID,
);

/** Splits one elementary stream into packets. */
class PacketSource {
  private current: PesPacket | null = null;
  private sent = 0;
  private next = 0;
  packets = 0;

  constructor(
    private readonly pid: number,
    private readonly queue: PesPacket[],
  ) {}

  isReady(ticks: number): boolean {
    return this.current !== null || (this.next < this.queue.length && this.queue[this.next].sendAt <= ticks);
  }

  startsKeyframe(): boolean {
    return this.current === null && this.queue[this.next].keyframe;
  }

  startsUnit(): boolean {
    return this.current === null;
  }

  get finished(): boolean {
    return this.current === null && this.next === this.queue.length;
  }

  lastCounter(): number {
    return (this.packets + 15) & 0x0f;
  }

  /** Writes the next packet at `at`; `pcr` is in 27 MHz ticks, or null for none. */
  write(out: Buffer, at: number, pcr: number | null): void {
    const unitStart = this.current === null;
    const pes = this.current ?? this.queue[this.next++];
    if (unitStart) this.sent = 0;
    const keyframe = unitStart && pes.keyframe;
    const minField = pcr === null ? (keyframe ? 2 : 0) : 8; // bytes of the adaptation field, with its length byte
    const size = Math.min(pes.bytes.length - this.sent, PACKET_SIZE - 4 - minField);
    const field = PACKET_SIZE - 4 - size;
    out.set([SYNC_BYTE, (unitStart ? 0x40 : 0) | (this.pid >> 8), this.pid & 0xff, (field > 0 ? 0x30 : 0x10) | (this.packets & 0x0f)], at);
    if (field > 0) writeAdaptationField(out, at, field, keyframe ? 0x40 : 0, pcr);
    pes.bytes.copy(out, at + 4 + field, this.sent, this.sent + size);
    this.sent += size;
    this.packets += 1;
    this.current = this.sent < pes.bytes.length ? pes : null;
  }
}

/** Writes an adaptation field of `size` bytes, with its length byte, and fills it with 0xff. */
function writeAdaptationField(out: Buffer, at: number, size: number, flags: number, pcr: number | null): void {
  out[at + 4] = size - 1;
  if (size === 1) return;
  out.fill(0xff, at + 6, at + 4 + size);
  out[at + 5] = flags | (pcr === null ? 0 : 0x10);
  if (pcr !== null) writePcr(out, at, pcr);
}

function writeClockPacket(out: Buffer, at: number, counter: number, pcr: number): void {
  out.set([SYNC_BYTE, VIDEO_PID >> 8, VIDEO_PID & 0xff, 0x20 | counter], at);
  writeAdaptationField(out, at, PACKET_SIZE - 4, 0, pcr);
}

/** Multiplexes one loop into `packets` slots. Without `pes` (a scale test) it has markers and null packets only. */
export function multiplex(pes: PesPacket[] | null, packets: number): LoopTemplate {
  const bytes = Buffer.allocUnsafe(packets * PACKET_SIZE);
  const patches = new Uint8Array(packets);
  const video = new PacketSource(
    VIDEO_PID,
    (pes ?? []).filter((packet) => packet.pid === VIDEO_PID),
  );
  const audio = new PacketSource(
    AUDIO_PID,
    (pes ?? []).filter((packet) => packet.pid === AUDIO_PID),
  );
  // A clock reference is due some slots early, because tables and a marker may come before it.
  const clockSlots = Math.floor((PCR_INTERVAL_MS * packets) / LOOP_MS) - 4;
  let lastClock = -clockSlots;
  let tables = 0;
  let markers = 0;
  let pmtIsDue = false;
  for (let slot = 0; slot < packets; slot += 1) {
    const at = slot * PACKET_SIZE;
    const ticks = (slot * LOOP_TICKS) / packets;
    if (pmtIsDue) {
      pmtIsDue = false;
      pmtSection.copy(bytes, at);
      setContinuityCounter(bytes, at, tables - 1);
    } else if (pes && slot >= Math.floor((tables * packets) / TABLES_PER_LOOP)) {
      patSection.copy(bytes, at);
      setContinuityCounter(bytes, at, tables);
      tables += 1;
      pmtIsDue = true;
    } else if (slot >= Math.floor((markers * packets) / MARKERS_PER_LOOP)) {
      bytes.set([SYNC_BYTE, MARKER_PID >> 8, MARKER_PID & 0xff, 0x10 | (markers & 0x0f)], at);
      bytes.fill(0xff, at + 4, at + PACKET_SIZE);
      patches[slot] = Patch.marker;
      markers += 1;
    } else {
      const clockIsDue = pes !== null && slot - lastClock >= clockSlots;
      const pcr = Math.round((slot * LOOP_TICKS_27M) / packets);
      if (!clockIsDue && audio.isReady(ticks) && !(video.isReady(ticks) && video.startsKeyframe())) {
        patches[slot] = Patch.audioCounter | (audio.startsUnit() ? Patch.timestamps : 0);
        audio.write(bytes, at, null);
      } else if (video.isReady(ticks)) {
        const withClock = clockIsDue || video.startsKeyframe();
        patches[slot] = Patch.videoCounter | (video.startsUnit() ? Patch.timestamps : 0) | (withClock ? Patch.clock : 0);
        video.write(bytes, at, withClock ? pcr : null);
        if (withClock) lastClock = slot;
      } else if (clockIsDue) {
        patches[slot] = Patch.videoCounter | Patch.clock;
        writeClockPacket(bytes, at, video.lastCounter(), pcr);
        lastClock = slot;
      } else {
        bytes.set(NULL_PACKET, at);
      }
    }
  }
  if (!video.finished || !audio.finished)
    throw new MuxRateError(`the clip does not fit into ${packets} packets per loop: use a higher bitrate`);
  const groupStarts = Array.from({ length: GROUPS_PER_LOOP }, (_, group) => Math.floor((group * packets) / GROUPS_PER_LOOP));
  return { packets, bytes, patches, videoPackets: video.packets, audioPackets: audio.packets, groupStarts };
}
