/**
 * Finds the same position in another copy of a stream by its anchors: the packets that carry a PCR. Such a packet is unique (11,200 of them, still
 * pictures and black included, were all different); windows of ordinary packets are not.
 */
import { CLOCK_27M, NONE, PACKET_SIZE } from './packet.js';
import { WRAP_27M, distance, wrapped } from './timestamps.js';

/** One minute at the usual 32 PCRs a second; at least 40 s, because of MIN_STEP. */
const CAPACITY = 2048;
/** Ticks of 27 MHz: a PCR that follows the last anchor more closely is not made an anchor. */
const MIN_STEP = CLOCK_27M / 50;
/** A larger step is a discontinuity: older anchors cannot be compared with later ones. A smaller step back is jitter and makes no anchor. */
const MAX_STEP = 10 * CLOCK_27M;
const MAX_BACK = CLOCK_27M / 2;
/** A clock up to this much ahead of the stream is the same clock after a gap … */
const MAX_AHEAD = 60 * CLOCK_27M;
/** … and up to this much before the oldest anchor it is the same clock, still catching up. */
const MAX_BEHIND = 30 * CLOCK_27M;

/** Where a PCR of another source is relative to the anchors. 'far': it must be from another clock. */
export type ClockRelation = 'before' | 'within' | 'after' | 'far';

/** A bounded map from PCR to position. Fixed memory (40 kB), no allocation per anchor. */
export class AnchorMap {
  readonly #pcrs = new Float64Array(CAPACITY);
  readonly #positions = new Float64Array(CAPACITY);
  readonly #prints = new Int32Array(CAPACITY);
  #first = 0;
  #size = 0;

  /** Ticks of 27 MHz, or NONE. */
  get newestPcr(): number {
    return this.#size === 0 ? NONE : this.#pcrs[this.#slot(this.#size - 1)];
  }

  /** Ticks of 27 MHz from the oldest anchor to the newest. */
  get span(): number {
    return this.#size === 0 ? 0 : this.#rankOf(this.newestPcr);
  }

  /** Adds the packet at `at`, which carries `pcr` and has this `position` in the stream. */
  add(buffer: Uint8Array, at: number, pcr: number, position: number): void {
    if (this.#size > 0) {
      const step = distance(this.newestPcr, pcr, WRAP_27M);
      if (step < -MAX_BACK || step > MAX_STEP) this.clear();
      else if (step < MIN_STEP) return;
    }
    this.#push(pcr, position, fingerprint(buffer, at));
  }

  /** Position of the same packet (ignoring its continuity counter) in the stream, or NONE. */
  positionOf(buffer: Uint8Array, at: number, pcr: number): number {
    const index = this.#indexBefore(pcr);
    if (index < 0) return NONE;
    const slot = this.#slot(index);
    return this.#pcrs[slot] === pcr && this.#prints[slot] === fingerprint(buffer, at) ? this.#positions[slot] : NONE;
  }

  /** Where a PCR of another source is relative to this stream. Without anchors every PCR is 'far'. */
  relationOf(pcr: number): ClockRelation {
    if (this.#size === 0) return 'far';
    const ahead = distance(this.newestPcr, pcr, WRAP_27M);
    if (ahead > 0) return ahead < MAX_AHEAD ? 'after' : 'far';
    if (-ahead <= this.span) return 'within';
    return -ahead <= this.span + MAX_BEHIND ? 'before' : 'far';
  }

  clear(): void {
    this.#size = 0;
  }

  #push(pcr: number, position: number, print: number): void {
    if (this.#size === CAPACITY) {
      this.#first = (this.#first + 1) % CAPACITY;
      this.#size -= 1;
    }
    const slot = this.#slot(this.#size);
    this.#pcrs[slot] = pcr;
    this.#positions[slot] = position;
    this.#prints[slot] = print;
    this.#size += 1;
  }

  /** Index of the latest anchor that is not later than `pcr`, or -1. Binary search: anchors are in PCR order. */
  #indexBefore(pcr: number): number {
    if (this.#size === 0) return -1;
    const rank = this.#rankOf(pcr);
    let low = 0;
    let high = this.#size - 1;
    let found = -1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.#rankOf(this.#pcrs[this.#slot(middle)]) <= rank) {
        found = middle;
        low = middle + 1;
      } else high = middle - 1;
    }
    return found;
  }

  /** Ticks since the oldest anchor. */
  #rankOf(pcr: number): number {
    return wrapped(pcr - this.#pcrs[this.#first], WRAP_27M);
  }

  #slot(index: number): number {
    return (this.#first + index) % CAPACITY;
  }
}

/** FNV-1a hash of the packet without its continuity counter. */
function fingerprint(buffer: Uint8Array, at: number): number {
  let hash = 0x811c9dc5;
  for (let byte = at + 1; byte < at + PACKET_SIZE; byte += 1) {
    hash = Math.imul(hash ^ (byte === at + 3 ? buffer[byte] & 0xf0 : buffer[byte]), 0x01000193);
  }
  return hash;
}
