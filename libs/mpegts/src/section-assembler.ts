/** Assembles PSI sections (ISO/IEC 13818-1, 2.4.4) from the packets of one PID. */
import { NONE, PACKET_SIZE, continuityCounter, hasTransportError, payloadOffset, startsUnit } from './packet.js';

/** Maximum length of a private section; a PAT or PMT has at most 1,024 bytes. */
const MAX_SECTION = 4096;
const HEADER = 3;
const STUFFING = 0xff;

/** Takes the packets of one PID in order and returns whole sections as copies. The CRC is not checked. */
export class SectionAssembler {
  readonly #bytes = Buffer.alloc(MAX_SECTION);
  #length = 0;
  #collecting = false;
  #counter = NONE;

  push(buffer: Uint8Array, at: number, onSection: (section: Uint8Array) => void): void {
    let from = payloadOffset(buffer, at);
    if (from < 0 || hasTransportError(buffer, at)) return;
    const counter = continuityCounter(buffer, at);
    if (counter === this.#counter) return; // a duplicate packet
    if (this.#counter !== NONE && counter !== ((this.#counter + 1) & 0x0f)) this.#collecting = false;
    this.#counter = counter;
    const end = at + PACKET_SIZE;
    if (startsUnit(buffer, at)) {
      const first = Math.min(from + 1 + buffer[from], end);
      this.#append(buffer, from + 1, first, onSection);
      from = first;
      this.#start();
    }
    this.#append(buffer, from, end, onSection);
  }

  /** Packets were lost or repeat: drops the incomplete section and accepts any next counter. */
  resync(): void {
    this.#collecting = false;
    this.#counter = NONE;
  }

  #start(): void {
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
      const size = Math.min(this.#wantedLength() - this.#length, to - at);
      this.#bytes.set(buffer.subarray(at, at + size), this.#length);
      this.#length += size;
      at += size;
      if (this.#length < HEADER || this.#length < this.#wantedLength()) continue;
      onSection(Uint8Array.from(this.#bytes.subarray(0, this.#length)));
      this.#start(); // more sections may follow in the same packet
    }
  }

  /** Length of the whole section, as far as it is known. */
  #wantedLength(): number {
    if (this.#length < HEADER) return HEADER;
    return Math.min(MAX_SECTION, HEADER + (((this.#bytes[1] & 0x0f) << 8) | this.#bytes[2]));
  }
}
