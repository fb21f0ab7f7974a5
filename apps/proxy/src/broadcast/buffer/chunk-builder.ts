/** The step that is being filled: a staging area that is used again and again, so that finished steps are exactly as large as they need to be. */
import { PACKET_SIZE } from '@acexy/mpegts';
import { type FramedBytes, FramedRoom } from './framed-bytes.js';

export class ChunkBuilder {
  readonly bytes: Buffer;
  #length = 0;

  /** `capacity` in bytes; rounded down to whole packets, at least one. */
  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(1, Math.floor(capacity / PACKET_SIZE)) * PACKET_SIZE);
  }

  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length === this.bytes.length;
  }

  /** Takes what fits of `buffer[from, to)` and returns how much that was. */
  append(buffer: Buffer, from: number, to: number): number {
    const taken = buffer.copy(this.bytes, this.#length, from, to);
    this.#length += taken;
    return taken;
  }

  /** Forgets what lies behind the first `length` bytes. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** Takes the first `length` bytes out; what follows stays. */
  take(length: number): FramedBytes {
    const room = new FramedRoom(length);
    this.bytes.copy(room.room, 0, 0, length);
    this.bytes.copyWithin(0, length, this.#length);
    this.#length -= length;
    return room.close(length);
  }
}
