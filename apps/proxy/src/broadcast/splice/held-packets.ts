/** Packets of a source that is not part of the stream yet: the newest ones, bounded. */
import { PACKET_SIZE } from '@acexy/mpegts';

const BLOCK = 512 * PACKET_SIZE;

export class HeldPackets {
  #blocks: Buffer[] = [];
  #start = 0;
  #end = 0;

  /** `maxBytes`: the oldest are dropped beyond it, in blocks of 96 kB. */
  constructor(private readonly maxBytes: number) {}

  /** Position of the first byte held, counted from the source's first packet. */
  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  append(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const used = (this.#end - this.#start) % BLOCK;
      if (used === 0) this.#addBlock();
      const taken = buffer.copy(this.#blocks[this.#blocks.length - 1], used, at, to);
      at += taken;
      this.#end += taken;
    }
  }

  /** The bytes from `position` on, as far as they lie together: at least a packet, empty at the end. */
  bytesFrom(position: number): Buffer {
    if (position < this.#start) throw new RangeError(`byte ${position} is not held any more`);
    if (position >= this.#end) return Buffer.alloc(0);
    const offset = position - this.#start;
    const inBlock = offset % BLOCK;
    return this.#blocks[Math.floor(offset / BLOCK)].subarray(inBlock, Math.min(BLOCK, inBlock + this.#end - position));
  }

  clear(): void {
    this.#blocks = [];
    this.#start = this.#end;
  }

  #addBlock(): void {
    this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK));
    if (this.#blocks.length * BLOCK <= this.maxBytes || this.#blocks.length === 1) return;
    this.#blocks.shift();
    this.#start += BLOCK;
  }
}
