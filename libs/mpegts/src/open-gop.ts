/**
 * Enters an open GOP in the middle of a stream. Its leading pictures refer to pictures before the entry. A decoder that has shown other pictures
 * would decode them to garbage. HEVC can mark such an entry, MPEG-2 needs these pictures removed, H.264 decoders skip them on their own.
 */
import { NONE, PACKET_SIZE, payloadOffset, startsUnit } from './packet.js';
import type { VideoCodec } from './random-access.js';
import { WRAP_90K, distance, pesOffset, readPts } from './timestamps.js';

/** Rec. ITU-T H.265, table 7-1. */
const CRA = 21;
const BLA_W_LP = 16;

/** The treatment that the codec needs. Takes the packets of the video PID; the first one must start the entry picture. */
export class OpenGopEntry {
  #marker: BrokenLinkMarker | null;
  #leading: LeadingPictureFilter | null;

  constructor(codec: VideoCodec | null) {
    this.#marker = codec === 'hevc' ? new BrokenLinkMarker() : null;
    this.#leading = codec === 'mpeg2' ? new LeadingPictureFilter() : null;
  }

  /** All later packets pass unchanged. */
  get done(): boolean {
    return this.#marker === null && this.#leading === null;
  }

  /** Whether the packet at `at` is kept. */
  passes(buffer: Uint8Array, at: number): boolean {
    const passes = this.#leading === null || this.#leading.passes(buffer, at);
    if (this.#leading?.done === true) this.#leading = null;
    return passes;
  }

  /** Changes, in place, a packet that is kept. */
  repair(buffer: Uint8Array, at: number): void {
    this.#marker?.mark(buffer, at);
    if (this.#marker?.done === true) this.#marker = null;
  }
}

/** HEVC: renames the CRA picture to BLA (one byte a slice). Decoders then drop the leading pictures and restart the picture order count. */
export class BrokenLinkMarker {
  #started = false;
  /** The entry picture has ended. */
  done = false;
  #zeros = 0;
  #afterStartCode = false;

  /** Rewrites, in place, the packet of the video PID at `at`. */
  mark(buffer: Uint8Array, at: number): void {
    if (this.#started && startsUnit(buffer, at) && readPts(buffer, at) !== NONE) this.done = true;
    this.#started = true;
    let from = payloadOffset(buffer, at);
    if (this.done || from < 0) return;
    const pes = pesOffset(buffer, at);
    if (pes !== NONE) from = pes + 9 + buffer[pes + 8];
    for (let byte = from; byte < at + PACKET_SIZE; byte += 1) {
      if (this.#afterStartCode && ((buffer[byte] >> 1) & 0x3f) === CRA) buffer[byte] = (buffer[byte] & 0x81) | (BLA_W_LP << 1);
      this.#afterStartCode = this.#zeros >= 2 && buffer[byte] === 1;
      this.#zeros = buffer[byte] === 0 ? this.#zeros + 1 : 0;
    }
  }
}

/** MPEG-2: drops the pictures that follow the entry picture but are shown before it. A PCR in them is lost. */
export class LeadingPictureFilter {
  #entryPts = NONE;
  #dropping = false;
  /** No further picture is dropped. */
  done = false;

  /** Whether the packet of the video PID at `at` is kept. */
  passes(buffer: Uint8Array, at: number): boolean {
    if (this.done) return true;
    const pts = startsUnit(buffer, at) ? readPts(buffer, at) : NONE;
    if (pts !== NONE) {
      if (this.#entryPts === NONE) this.#entryPts = pts;
      else {
        this.#dropping = distance(this.#entryPts, pts, WRAP_90K) < 0;
        this.done = !this.#dropping;
      }
    }
    return !this.#dropping;
  }
}
