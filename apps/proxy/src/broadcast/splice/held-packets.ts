/** The newest packets of a source that is not part of the stream yet. */
import { PACKET_SIZE, type PacketStore } from '@acexy/mpegts';

const BLOCK = 512 * PACKET_SIZE;

export class HeldPackets implements PacketStore {
  startPosition = 0;
  endPosition = 0;
  #blocks: Buffer[] = [];

  /** `maxBytes`: more than that drops the oldest packets, in blocks of 96 kB. */
  constructor(private readonly maxBytes: number) {}

  append(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const used = (this.endPosition - this.startPosition) % BLOCK;
      if (used === 0) this.#addBlock();
      const copied = buffer.copy(this.#blocks[this.#blocks.length - 1], used, at, to);
      at += copied;
      this.endPosition += copied;
    }
  }

  bytesFrom(position: number): Buffer {
    if (position < this.startPosition) throw new RangeError(`byte ${position} was dropped: the oldest one held is ${this.startPosition}`);
    if (position >= this.endPosition) return Buffer.alloc(0);
    const offset = position - this.startPosition;
    const inBlock = offset % BLOCK;
    return this.#blocks[Math.floor(offset / BLOCK)].subarray(inBlock, Math.min(BLOCK, inBlock + this.endPosition - position));
  }

  clear(): void {
    this.#blocks = [];
    this.startPosition = this.endPosition;
  }

  #addBlock(): void {
    this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK));
    if (this.#blocks.length * BLOCK <= this.maxBytes || this.#blocks.length === 1) return;
    this.#blocks.shift();
    this.startPosition += BLOCK;
  }
}
