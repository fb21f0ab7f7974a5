/**
 * Entering an open group of pictures in the middle of a stream. Its leading pictures name pictures from before the entry; a decoder that has
 * shown something else before would take that for them. HEVC has a name for such an entry, MPEG-2 needs the pictures taken out, H.264 decoders
 * leave them out on their own.
 */
import { PACKET_SIZE, continuityCounter, hasPayload, payloadOffset, setContinuityCounter, startsUnit } from './packet.js';
import { presentationTimeOf } from './stream-state.js';
import { NONE, WRAP_90K, distance, pesOffset } from './timestamps.js';

/** Rec. ITU-T H.265, table 7-1. */
const CRA = 21;
const BLA_W_LP = 16;

/** HEVC: renames a CRA picture to BLA (one byte a slice), upon which decoders drop the leading pictures and start their picture count anew. */
export class BrokenLinkMarker {
  #begun = false;
  #done = false;
  #zeros = 0;
  #afterStartCode = false;

  /** The entry picture is over. */
  get done(): boolean {
    return this.#done;
  }

  /** Rewrites, in place, the packet of the video PID at `at`; the first one must begin the entry picture. */
  mark(buffer: Uint8Array, at: number): void {
    if (this.#begun && startsUnit(buffer, at) && presentationTimeOf(buffer, at) !== NONE) this.#done = true;
    this.#begun = true;
    let from = payloadOffset(buffer, at);
    if (this.#done || from < 0) return;
    const pes = pesOffset(buffer, at);
    if (pes !== NONE) from = pes + 9 + buffer[pes + 8];
    for (let byte = from; byte < at + PACKET_SIZE; byte += 1) {
      if (this.#afterStartCode && ((buffer[byte] >> 1) & 0x3f) === CRA) buffer[byte] = (buffer[byte] & 0x81) | (BLA_W_LP << 1);
      this.#afterStartCode = this.#zeros >= 2 && buffer[byte] === 1;
      this.#zeros = buffer[byte] === 0 ? this.#zeros + 1 : 0;
    }
  }
}

/**
 * MPEG-2: leaves out the pictures that are shown before the entry picture though they come after it, and closes the gap in the counters. A
 * clock reference in them is lost with them.
 */
export class LeadingPictureFilter {
  #entryTime = NONE;
  #leaving = false;
  #over = false;
  #left = 0;
  #lastLeft = NONE;

  /** No further picture is left out. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether the packet of the video PID at `at` stays; the first one must begin the entry picture. */
  passes(buffer: Uint8Array, at: number): boolean {
    if (this.#over) return true;
    const time = startsUnit(buffer, at) ? presentationTimeOf(buffer, at) : NONE;
    if (time !== NONE) {
      if (this.#entryTime === NONE) this.#entryTime = time;
      else {
        this.#leaving = distance(this.#entryTime, time, WRAP_90K) < 0;
        this.#over = !this.#leaving;
      }
    }
    if (this.#leaving && hasPayload(buffer, at)) this.#leave(continuityCounter(buffer, at));
    return !this.#leaving;
  }

  /** A packet that was sent twice has one counter. */
  #leave(counter: number): void {
    if (counter !== this.#lastLeft) this.#left += 1;
    this.#lastLeft = counter;
  }

  /** Corrects, in place, the counter of a packet of the video PID that stays. */
  renumber(buffer: Uint8Array, at: number): void {
    setContinuityCounter(buffer, at, (continuityCounter(buffer, at) - this.#left) & 0x0f);
  }
}
