/**
 * The endless broadcast of one content. Packet n depends on the content and n alone, and the rate of the multiplex ties n to the wall clock.
 * So two engines send the same packets for the same time. Packet 0 is at the Unix epoch.
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

  /** Number of the packet that is sent at `time` (Unix ms). */
  packetAt(time: number): number {
    const loopNumber = Math.floor(time / LOOP_MS);
    return loopNumber * this.loop.packets + Math.floor(((time - loopNumber * LOOP_MS) * this.loop.packets) / LOOP_MS);
  }

  /** When packet `n` is sent, Unix ms with a fraction. */
  timeOf(n: number): number {
    const loopNumber = Math.floor(n / this.loop.packets);
    return loopNumber * LOOP_MS + ((n - loopNumber * this.loop.packets) * LOOP_MS) / this.loop.packets;
  }

  /** The first packet (a PAT) of a group of pictures; groups are counted from the epoch. */
  groupStart(group: number): number {
    const loopNumber = Math.floor(group / GROUPS_PER_LOOP);
    return loopNumber * this.loop.packets + this.loop.groupStarts[group - loopNumber * GROUPS_PER_LOOP];
  }

  /** A new copy of `count` packets from packet `from` on. Markers of the engine form contain `engine`. */
  read(from: number, count: number, engine: EngineMark | null = null): Buffer {
    const out = Buffer.allocUnsafe(count * PACKET_SIZE);
    let done = 0;
    while (done < count) {
      const loopNumber = Math.floor((from + done) / this.loop.packets);
      const slot = from + done - loopNumber * this.loop.packets;
      const size = Math.min(count - done, this.loop.packets - slot);
      this.loop.bytes.copy(out, done * PACKET_SIZE, slot * PACKET_SIZE, (slot + size) * PACKET_SIZE);
      this.rewrite(out, done * PACKET_SIZE, loopNumber, slot, size, this.markers === 'engine' ? engine : null);
      done += size;
    }
    return out;
  }

  /** Rewrites `size` packets of the loop from `slot` on, which were copied to `at`, for loop `loopNumber`. */
  private rewrite(out: Buffer, at: number, loopNumber: number, slot: number, size: number, engine: EngineMark | null): void {
    const { patches, videoPackets, audioPackets } = this.loop;
    // The products stay below 2^53: there are fewer than 10^9 loops, and a loop has 1.7 million ticks.
    const ticks = (loopNumber * LOOP_TICKS) % WRAP_90K;
    const videoCounter = ((loopNumber % 16) * videoPackets) % 16;
    const audioCounter = ((loopNumber % 16) * audioPackets) % 16;
    for (let index = slot; index < slot + size; index += 1, at += PACKET_SIZE) {
      const patch = patches[index];
      if (patch === Patch.none) continue;
      if (patch === Patch.marker) {
        if (this.markers === 'off') out.set(NULL_PACKET, at);
        else writeMarker(out, at, this.infohash, loopNumber * MARKERS_PER_LOOP + this.markerOf(index), engine);
        continue;
      }
      const counter = patch & Patch.videoCounter ? videoCounter : audioCounter;
      setContinuityCounter(out, at, continuityCounter(out, at) + counter);
      if (patch & Patch.clock) writePcr(out, at, wrapped(readPcr(out, at) + ticks * 300, WRAP_27M));
      if (patch & Patch.timestamps) shiftTimestamps(out, at, ticks);
    }
  }

  /** Which of the loop's markers is in slot `index`: the last one that was due. */
  private markerOf(index: number): number {
    return Math.round((index * MARKERS_PER_LOOP) / this.loop.packets - MARKER_SLACK);
  }
}

/** A marker may be a few slots late, behind the tables, but never half an interval. */
const MARKER_SLACK = 0.25;

/** Adds 90 kHz ticks to the PTS and DTS of the PES packet that starts in the packet at `at`. */
export function shiftTimestamps(out: Buffer, at: number, ticks: number): void {
  const pes = pesOffset(out, at);
  if (pes === NONE) return;
  const end = at + PACKET_SIZE;
  for (const offset of [ptsOffset(out, pes, end), dtsOffset(out, pes, end)]) {
    if (offset !== NONE) writeTimestamp(out, offset, wrapped(readTimestamp(out, offset) + ticks, WRAP_90K));
  }
}
