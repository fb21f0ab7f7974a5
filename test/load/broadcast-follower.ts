/**
 * Compares a viewer's bytes with the broadcast while they arrive, cheaply enough for hundreds of viewers in one process. All contents of one rate
 * differ in their markers only. So the bytes of a loop are generated once for all viewers, and everything between two markers is one comparison.
 */
import { NULL_PID, PACKET_SIZE, pidOf } from '@acexy/mpegts';
import { MARKERS_PER_LOOP, MARKER_INTERVAL_MS } from '../../apps/engine-simulator/src/media/layout.js';
import { parseMarker } from '../../apps/engine-simulator/src/media/marker.js';
import { type LoopTemplate, Patch } from '../../apps/engine-simulator/src/media/multiplexer.js';
import { Timeline } from '../../apps/engine-simulator/src/media/timeline.js';
import { infohashOf } from '../support/broadcast-compare.js';

/** One second after the join every PID has started; from then on the bytes must be those of the broadcast. */
const SETTLED_MARKERS = 10;
/** Loops in memory: viewers are seconds behind the live edge, and a loop takes 19 s. */
const KEPT_LOOPS = 3;

/** The packets of the broadcast without its markers, shared by all viewers. */
export class ExpectedBroadcast {
  private readonly timeline: Timeline;
  private readonly loops = new Map<number, Buffer>();
  /** Slots of the markers in a loop. */
  readonly markerSlots: readonly number[];
  /** For each slot of a loop, the first marker's slot from there on; the length of the loop if there is none. */
  readonly nextMarker: Int32Array;

  constructor(private readonly loop: LoopTemplate) {
    this.timeline = new Timeline(loop, '00'.repeat(20), 'off');
    this.nextMarker = new Int32Array(loop.packets).fill(loop.packets);
    for (let slot = loop.packets - 1; slot >= 0; slot -= 1) {
      if (loop.patches[slot] === Patch.marker) this.nextMarker[slot] = slot;
      else if (slot + 1 < loop.packets) this.nextMarker[slot] = this.nextMarker[slot + 1];
    }
    this.markerSlots = [...loop.patches.keys()].filter((slot) => loop.patches[slot] === Patch.marker);
  }

  get packets(): number {
    return this.loop.packets;
  }

  /** Number of the packet that is the marker with this sequence number. */
  packetOfMarker(sequence: number): number {
    return Math.floor(sequence / MARKERS_PER_LOOP) * this.packets + this.markerSlots[sequence % MARKERS_PER_LOOP];
  }

  bytesOf(loopNumber: number): Buffer {
    let bytes = this.loops.get(loopNumber);
    if (bytes === undefined) {
      bytes = this.timeline.read(loopNumber * this.packets, this.packets);
      this.loops.set(loopNumber, bytes);
      if (this.loops.size > KEPT_LOOPS) this.loops.delete(Math.min(...this.loops.keys()));
    }
    return bytes;
  }
}

/** Follows one viewer. After the first difference only the markers are checked, because the clocks may be re-stamped from there on. */
export class BroadcastFollower {
  /** The faults, one text each: a difference from the broadcast, or a gap or a repeat in the markers. */
  readonly faults: string[] = [];
  private readonly infohash: string;
  private readonly partial = Buffer.alloc(PACKET_SIZE);
  private partialBytes = 0;
  private marker: number | null = null;
  private markers = 0;
  /** Number of the next packet; null while the bytes are not compared. */
  private position: number | null = null;
  private differed = false;

  constructor(
    private readonly expected: ExpectedBroadcast,
    contentId: string,
  ) {
    this.infohash = infohashOf(contentId);
  }

  /** Unix ms of the newest marker on the broadcaster's timeline; null before the first one. */
  get mediaTime(): number | null {
    return this.marker === null ? null : this.marker * MARKER_INTERVAL_MS;
  }

  /** Whether the bytes are being compared with the broadcast. */
  get exact(): boolean {
    return this.position !== null;
  }

  push(bytes: Buffer): void {
    let at = 0;
    if (this.partialBytes > 0) {
      at = bytes.copy(this.partial, this.partialBytes, 0, PACKET_SIZE - this.partialBytes);
      this.partialBytes += at;
      if (this.partialBytes < PACKET_SIZE) return;
      this.partialBytes = 0;
      this.check(this.partial, 0, PACKET_SIZE);
    }
    const end = bytes.length - ((bytes.length - at) % PACKET_SIZE);
    this.check(bytes, at, end);
    this.partialBytes = bytes.copy(this.partial, 0, end);
  }

  /** Checks whole packets. */
  private check(bytes: Buffer, from: number, end: number): void {
    for (let at = from; at < end;) at = this.position === null ? this.search(bytes, at) : this.compare(bytes, at, end, this.position);
  }

  /** Checks one packet of which only a marker is of interest; returns the offset of the next packet. */
  private search(bytes: Buffer, at: number): number {
    if (this.readMarker(bytes, at) && this.markers > SETTLED_MARKERS && !this.differed)
      this.position = this.expected.packetOfMarker(this.marker!) + 1;
    return at + PACKET_SIZE;
  }

  /** Compares the packets up to the next marker or the end of the loop; returns the offset of the first packet that was not checked. */
  private compare(bytes: Buffer, at: number, end: number, position: number): number {
    const { expected } = this;
    const loopNumber = Math.floor(position / expected.packets);
    const slot = position - loopNumber * expected.packets;
    const marker = expected.nextMarker[slot];
    const wanted = expected.bytesOf(loopNumber);
    if (marker === slot) {
      if (!this.readMarker(bytes, at)) return this.skipFillerOrFail(bytes, at);
      this.position = this.differed ? null : position + 1;
      return at + PACKET_SIZE;
    }
    const packets = Math.min((end - at) / PACKET_SIZE, marker - slot);
    const same = equalPackets(bytes, at, wanted, slot * PACKET_SIZE, packets);
    this.position = position + same;
    const next = at + same * PACKET_SIZE;
    return same === packets ? next : this.skipFillerOrFail(bytes, next);
  }

  /** The proxy sends null packets while its source is silent, so one more is no fault. */
  private skipFillerOrFail(bytes: Buffer, at: number): number {
    if (pidOf(bytes, at) === NULL_PID) return at + PACKET_SIZE;
    this.fail(`a packet of PID ${pidOf(bytes, at)} after marker ${this.marker} differs from the broadcast`);
    return at;
  }

  private fail(fault: string): void {
    this.faults.push(fault);
    this.position = null;
    this.differed = true;
  }

  /** Whether the packet is a marker, which must be the next one of this content. */
  private readMarker(bytes: Buffer, at: number): boolean {
    const marker = parseMarker(bytes, at);
    if (marker === null) return false;
    if (marker.infohash !== this.infohash) this.fail(`marker of content ${marker.infohash}`);
    if (this.marker !== null && marker.sequence !== this.marker + 1) this.fail(`marker ${marker.sequence} after ${this.marker}`);
    this.marker = marker.sequence;
    this.markers += 1;
    return true;
  }
}

/** Number of equal packets from these offsets on, at most `packets`. */
function equalPackets(bytes: Buffer, at: number, wanted: Buffer, wantedAt: number, packets: number): number {
  const size = packets * PACKET_SIZE;
  if (bytes.compare(wanted, wantedAt, wantedAt + size, at, at + size) === 0) return packets;
  for (let packet = 0; ; packet += 1) {
    const offset = packet * PACKET_SIZE;
    const from = wantedAt + offset;
    if (bytes.compare(wanted, from, from + PACKET_SIZE, at + offset, at + offset + PACKET_SIZE) !== 0) return packet;
  }
}
