/** PSI sections (ISO/IEC 13818-1, 2.4.4) put together from the packets of one PID. */
import { continuityCounter, hasTransportError, PACKET_SIZE, payloadOffset, startsUnit } from './packet.js';

/** The longest private section; PAT and PMT end at 1,024 bytes. */
const MAX_SECTION = 4096;
const HEADER = 3;
const STUFFING = 0xff;
const UNKNOWN = -1;

/** Takes the packets of one PID in order and hands out whole sections, each a copy of its own, CRC unchecked. */
export class SectionAssembler {
  readonly #bytes = Buffer.alloc(MAX_SECTION);
  #length = 0;
  #collecting = false;
  #counter = UNKNOWN;

  push(buffer: Uint8Array, at: number, onSection: (section: Uint8Array) => void): void {
    let from = payloadOffset(buffer, at);
    if (from < 0 || hasTransportError(buffer, at)) return;
    const counter = continuityCounter(buffer, at);
    if (counter === this.#counter) return; // a duplicate packet
    if (this.#counter !== UNKNOWN && counter !== ((this.#counter + 1) & 0x0f)) this.#collecting = false;
    this.#counter = counter;
    const end = at + PACKET_SIZE;
    if (startsUnit(buffer, at)) {
      const first = Math.min(from + 1 + buffer[from], end);
      this.#append(buffer, from + 1, first, onSection);
      from = first;
      this.#begin();
    }
    this.#append(buffer, from, end, onSection);
  }

  /** Packets are missing or come anew: what was being collected is given up, and any counter may follow. */
  resync(): void {
    this.#collecting = false;
    this.#counter = UNKNOWN;
  }

  #begin(): void {
    this.#length = 0;
    this.#collecting = true;
  }

  #append(buffer: Uint8Array, from: number, to: number, onSection: (section: Uint8Array) => void): void {
    let at = from;
    while (this.#collecting && at < to) {
      if (this.#length === 0 && buffer[at] === STUFFING) {
        this.#collecting = false;
        return;
      }
      const size = Math.min(this.#wanted() - this.#length, to - at);
      this.#bytes.set(buffer.subarray(at, at + size), this.#length);
      this.#length += size;
      at += size;
      if (this.#length < HEADER || this.#length < this.#wanted()) continue;
      onSection(Uint8Array.from(this.#bytes.subarray(0, this.#length)));
      this.#begin(); // more sections may follow in the same packet
    }
  }

  /** Bytes the section has in all, as far as known. */
  #wanted(): number {
    if (this.#length < HEADER) return HEADER;
    return Math.min(MAX_SECTION, HEADER + (((this.#bytes[1] & 0x0f) << 8) | this.#bytes[2]));
  }
}
