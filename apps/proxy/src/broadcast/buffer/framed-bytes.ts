/**
 * Stream bytes together with their HTTP/1.1 chunk framing (RFC 9112, 7.1), so that a chunked reply needs one write of one shared buffer. The size
 * has eight hex digits, so that it can be filled in after the bytes.
 */
import type { Block } from './block-pool.js';

export const FRAME_HEADER = 10;
export const FRAME_TRAILER = 2;

export interface FramedBytes {
  /** Size line, data, line end. */
  readonly framed: Buffer;
  /** The data alone: a view into `framed`. */
  readonly data: Buffer;
  /** The memory of both: who uses them later holds it meanwhile. Null if they have memory of their own, left to the garbage collector. */
  readonly block: Block | null;
}

/** Frames the `length` bytes of data in `memory` that follow `FRAME_HEADER` bytes from `start` on. `length` must not be 0: an empty chunk would end the reply. */
export function frameInPlace(memory: Buffer, start: number, length: number, block: Block | null): FramedBytes {
  const data = start + FRAME_HEADER;
  memory.write(`${length.toString(16).padStart(8, '0')}\r\n`, start, 'latin1');
  memory.write('\r\n', data + length, 'latin1');
  return { framed: memory.subarray(start, data + length + FRAME_TRAILER), data: memory.subarray(data, data + length), block };
}

/** Memory for up to `capacity` bytes: fill `payload`, then call `close`. */
export class FramedBuffer {
  readonly #all: Buffer;
  readonly payload: Buffer;

  constructor(capacity: number) {
    this.#all = Buffer.allocUnsafeSlow(FRAME_HEADER + capacity + FRAME_TRAILER);
    this.payload = this.#all.subarray(FRAME_HEADER, FRAME_HEADER + capacity);
  }

  /** The first `length` bytes of the payload, framed. */
  close(length: number): FramedBytes {
    if (length <= 0 || length > this.payload.length) {
      throw new RangeError(`chunk length is ${length}: it must be between 1 and ${this.payload.length} bytes`);
    }
    return frameInPlace(this.#all, 0, length, null);
  }
}

export function frame(bytes: Uint8Array): FramedBytes {
  const framed = new FramedBuffer(bytes.length);
  framed.payload.set(bytes);
  return framed.close(bytes.length);
}

/** The chunk of size 0 that ends a reply. */
export const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');
