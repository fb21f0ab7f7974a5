/**
 * The endless broadcast of one content. Packet n is a function of content and n alone, and n is fixed to the wall clock by the rate of the
 * multiplex, so two engines deliver the very same packets for the same moment. Packet 0 is the Unix epoch.
 */
import {
  NONE,
  NULL_PACKET,
  PACKET_SIZE,
  WRAP_27M,
  WRAP_90K,
  dtsOffset,
  pesOffset,
  ptsOffset,
  readPcr,
  readTimestamp,
  setContinuityCounter,
  continuityCounter,
  wrapped,
  writePcr,
  writeTimestamp,
} from '@acexy/mpegts';
import { GROUPS_PER_LOOP, LOOP_MS, LOOP_TICKS, MARKERS_PER_LOOP } from './layout.js';
import { type EngineMark, type MarkerForm, writeMarker } from './marker.js';
import { type LoopTemplate, Patch } from './multiplexer.js';

export class Timeline {
  private readonly infohash: Buffer;

  constructor(
    private readonly loop: LoopTemplate,
    infohash: string,
    private readonly markers: MarkerForm = 'content',
  ) {
    this.infohash = Buffer.from(infohash, 'hex');
  }

  /** The exact rate in bytes per ms. */
  get bytesPerMs(): number {
    return (this.loop.packets * PACKET_SIZE) / LOOP_MS;
  }

  /** The packet that is sent at `time` (Unix ms). */
  packetAt(time: number): number {
    const turn = Math.floor(time / LOOP_MS);
    return turn * this.loop.packets + Math.floor(((time - turn * LOOP_MS) * this.loop.packets) / LOOP_MS);
  }

  /** When packet `n` is sent, Unix ms with fraction. */
  timeOf(n: number): number {
    const turn = Math.floor(n / this.loop.packets);
    return turn * LOOP_MS + ((n - turn * this.loop.packets) * LOOP_MS) / this.loop.packets;
  }

  /** The first packet (a PAT) of group of pictures `group`, counted from the epoch. */
  groupStart(group: number): number {
    const turn = Math.floor(group / GROUPS_PER_LOOP);
    return turn * this.loop.packets + this.loop.groupStarts[group - turn * GROUPS_PER_LOOP];
  }

  /** A fresh copy of `count` packets from packet `from` on. `engine` marks the markers, where the form asks for it. */
  read(from: number, count: number, engine: EngineMark | null = null): Buffer {
    const out = Buffer.allocUnsafe(count * PACKET_SIZE);
    let done = 0;
    while (done < count) {
      const turn = Math.floor((from + done) / this.loop.packets);
      const slot = from + done - turn * this.loop.packets;
      const size = Math.min(count - done, this.loop.packets - slot);
      this.loop.bytes.copy(out, done * PACKET_SIZE, slot * PACKET_SIZE, (slot + size) * PACKET_SIZE);
      this.rewrite(out, done * PACKET_SIZE, turn, slot, size, this.markers === 'engine' ? engine : null);
      done += size;
    }
    return out;
  }

  /** Moves `size` packets of the loop, from `slot` on and copied to `at`, to where loop number `turn` lies in the world. */
  private rewrite(out: Buffer, at: number, turn: number, slot: number, size: number, engine: EngineMark | null): void {
    const { patches, videoPackets, audioPackets } = this.loop;
    // Both products stay below 2^53: turns are < 10^9, ticks of a loop 1.7 million.
    const ticks = (turn * LOOP_TICKS) % WRAP_90K;
    const videoCounter = ((turn % 16) * videoPackets) % 16;
    const audioCounter = ((turn % 16) * audioPackets) % 16;
    for (let index = slot; index < slot + size; index += 1, at += PACKET_SIZE) {
      const patch = patches[index];
      if (patch === Patch.none) continue;
      if (patch === Patch.marker) {
        if (this.markers === 'off') out.set(NULL_PACKET, at);
        else writeMarker(out, at, this.infohash, turn * MARKERS_PER_LOOP + this.markerOf(index), engine);
        continue;
      }
      const counter = patch & Patch.videoCounter ? videoCounter : audioCounter;
      setContinuityCounter(out, at, continuityCounter(out, at) + counter);
      if (patch & Patch.clock) writePcr(out, at, wrapped(readPcr(out, at) + ticks * 300, WRAP_27M));
      if (patch & Patch.timestamps) shiftTimestamps(out, at, ticks);
    }
  }

  /** Which of the loop's markers stands in slot `index`: the last one that was due. */
  private markerOf(index: number): number {
    return Math.round((index * MARKERS_PER_LOOP) / this.loop.packets - MARKER_SLACK);
  }
}

/** A marker may stand a few slots late, behind the tables; it is never half an interval late. */
const MARKER_SLACK = 0.25;

/** Adds `ticks` of 90 kHz to the PTS and DTS of the PES packet that starts in the packet at `at`. */
export function shiftTimestamps(out: Buffer, at: number, ticks: number): void {
  const pes = pesOffset(out, at);
  if (pes === NONE) return;
  const end = at + PACKET_SIZE;
  for (const offset of [ptsOffset(out, pes, end), dtsOffset(out, pes, end)]) {
    if (offset !== NONE) writeTimestamp(out, offset, wrapped(readTimestamp(out, offset) + ticks, WRAP_90K));
  }
}
