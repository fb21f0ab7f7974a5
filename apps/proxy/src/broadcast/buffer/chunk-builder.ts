/** The chunk that is being built. Its memory is reused, so that every finished chunk is exactly as large as its content. */
import { PACKET_SIZE } from '@acexy/mpegts';
import { type FramedBytes, FramedBuffer } from './framed-bytes.js';

export class ChunkBuilder {
  readonly bytes: Buffer;
  length = 0;

  /** `capacity` in bytes; rounded down to whole packets, at least one. */
  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(1, Math.floor(capacity / PACKET_SIZE)) * PACKET_SIZE);
  }

  get full(): boolean {
    return this.length === this.bytes.length;
  }

  /** Appends as much of `buffer[from, to)` as fits and returns that length. */
  append(buffer: Buffer, from: number, to: number): number {
    const copied = buffer.copy(this.bytes, this.length, from, to);
    this.length += copied;
    return copied;
  }

  /** Drops everything after the first `length` bytes. */
  truncate(length: number): void {
    this.length = Math.min(this.length, length);
  }

  /** Returns the first `length` bytes as a chunk; the rest stays. */
  take(length: number): FramedBytes {
    const chunk = new FramedBuffer(length);
    this.bytes.copy(chunk.payload, 0, 0, length);
    this.bytes.copyWithin(0, length, this.length);
    this.length -= length;
    return chunk.close(length);
  }
}
