/**
 * Places of a stream by which another copy of it can be recognised: the packets that carry a clock reference. Such a packet is unique (no two of
 * 11,200 were alike, still pictures and black included), where windows of ordinary packets are not.
 */
import { CLOCK_27M, PACKET_SIZE } from './packet.js';
import { NONE, WRAP_27M, distance, wrapped } from './timestamps.js';

/** At the usual 32 references a second this is a minute; never less than 40 s, because closer references are left out. */
const CAPACITY = 2048;
/** Ticks of 27 MHz: a reference that follows the last anchor more closely is no anchor itself. */
const MIN_STEP = CLOCK_27M / 50;
/** A greater step is a leap of the clock: what lies before cannot be compared with what comes. A smaller one backwards is jitter, and no anchor. */
const MAX_STEP = 10 * CLOCK_27M;
const MAX_BACK = CLOCK_27M / 2;
/** How far ahead of the stream a clock still counts as the same one after a hole … */
const MAX_AHEAD = 60 * CLOCK_27M;
/** … and how far before the oldest anchor it counts as the same one on its way. */
const MAX_BEHIND = 30 * CLOCK_27M;

/** Where a clock reference of another source lies, seen from the anchors. 'far': it must be from another clock. */
export type ClockRelation = 'before' | 'within' | 'after' | 'far';

/** A bounded map from clock references to positions. Fixed memory (40 kB), nothing allocated per anchor. */
export class AnchorMap {
  readonly #pcrs = new Float64Array(CAPACITY);
  readonly #positions = new Float64Array(CAPACITY);
  readonly #prints = new Int32Array(CAPACITY);
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Ticks of 27 MHz, or NONE. */
  get newestPcr(): number {
    return this.#size === 0 ? NONE : this.#pcrs[this.#slot(this.#size - 1)];
  }

  /** Ticks of 27 MHz from the oldest anchor to the newest. */
  get span(): number {
    return this.#size === 0 ? 0 : this.#rankOf(this.newestPcr);
  }

  /** Takes the packet at `at`, which carries the reference `pcr` and lies at `position` in the stream. */
  note(buffer: Uint8Array, at: number, pcr: number, position: number): void {
    if (this.#size > 0) {
      const step = distance(this.newestPcr, pcr, WRAP_27M);
      if (step < -MAX_BACK || step > MAX_STEP) this.clear();
      else if (step < MIN_STEP) return;
    }
    this.#push(pcr, position, fingerprint(buffer, at));
  }

  /** Where the same packet (its continuity counter aside) lies in the stream, or NONE. */
  positionOf(buffer: Uint8Array, at: number, pcr: number): number {
    const index = this.#indexBefore(pcr);
    if (index < 0) return NONE;
    const slot = this.#slot(index);
    return this.#pcrs[slot] === pcr && this.#prints[slot] === fingerprint(buffer, at) ? this.#positions[slot] : NONE;
  }

  /** How the clock of another source stands to this stream. Without anchors nothing is known, so everything is 'far'. */
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

  /** Index of the latest anchor that is not later than `pcr`, or -1. Anchors lie in the order of their clock. */
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

/** FNV-1a over the packet without its continuity counter. */
function fingerprint(buffer: Uint8Array, at: number): number {
  let hash = 0x811c9dc5;
  for (let byte = at + 1; byte < at + PACKET_SIZE; byte += 1) {
    hash = Math.imul(hash ^ (byte === at + 3 ? buffer[byte] & 0xf0 : buffer[byte]), 0x01000193);
  }
  return hash;
}
