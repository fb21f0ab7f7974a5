/** The newest packets of a source that is not part of the stream yet. */
import { PACKET_SIZE, type PacketStore } from '@acexy/mpegts';

const BLOCK = 512 * PACKET_SIZE;

export class HeldPackets implements PacketStore {
  #blocks: Buffer[] = [];
  #start = 0;
  #end = 0;

  /** `maxBytes`: more than that drops the oldest packets, in blocks of 96 kB. */
  constructor(private readonly maxBytes: number) {}

  get startPosition(): number {
    return this.#start;
  }

  get endPosition(): number {
    return this.#end;
  }

  append(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const used = (this.#end - this.#start) % BLOCK;
      if (used === 0) this.#addBlock();
      const copied = buffer.copy(this.#blocks[this.#blocks.length - 1], used, at, to);
      at += copied;
      this.#end += copied;
    }
  }

  bytesFrom(position: number): Buffer {
    if (position < this.#start) throw new RangeError(`byte ${position} was dropped: the oldest one held is ${this.#start}`);
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
