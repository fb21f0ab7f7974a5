/**
 * Stream bytes together with their HTTP/1.1 chunk framing (RFC 9112, 7.1), so that a chunked reply needs one write of one shared buffer. The size
 * has eight hex digits, so that it can be filled in after the bytes.
 */
const HEADER = 10;
const TRAILER = 2;

export interface FramedBytes {
  /** Size line, data, line end. */
  readonly framed: Buffer;
  /** The data alone: a view into `framed`. */
  readonly data: Buffer;
}

/** Memory for up to `capacity` bytes: fill `payload`, then call `close`. Not pooled, because it may live as long as the ring. */
export class FramedBuffer {
  readonly #all: Buffer;
  readonly payload: Buffer;

  constructor(capacity: number) {
    this.#all = Buffer.allocUnsafeSlow(HEADER + capacity + TRAILER);
    this.payload = this.#all.subarray(HEADER, HEADER + capacity);
  }

  /** The first `length` bytes of the payload, framed. `length` must not be 0: an empty chunk would end the reply. */
  close(length: number): FramedBytes {
    if (length <= 0 || length > this.payload.length) {
      throw new RangeError(`chunk length is ${length}: it must be between 1 and ${this.payload.length} bytes`);
    }
    this.#all.write(`${length.toString(16).padStart(8, '0')}\r\n`, 'latin1');
    this.#all.write('\r\n', HEADER + length, 'latin1');
    return { framed: this.#all.subarray(0, HEADER + length + TRAILER), data: this.payload.subarray(0, length) };
  }
}

export function frame(bytes: Uint8Array): FramedBytes {
  const framed = new FramedBuffer(bytes.length);
  framed.payload.set(bytes);
  return framed.close(bytes.length);
}

/** The chunk of size 0 that ends a reply. */
export const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');
