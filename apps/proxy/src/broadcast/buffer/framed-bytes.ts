/**
 * Stream bytes stored together with their HTTP/1.1 chunk framing (RFC 9112, 7.1), so that a chunked reply costs one write of one shared buffer.
 * The size is written with eight hex digits, so it can be filled in when the bytes are known.
 */
const HEADER = 10;
const TRAILER = 2;
const CR = 0x0d;
const LF = 0x0a;

export interface FramedBytes {
  /** Size line, data, line end. */
  readonly framed: Buffer;
  /** The data alone: a view into `framed`. */
  readonly data: Buffer;
}

/** Room for up to `capacity` bytes of data, to be filled in `room` and closed with `close`. Not pooled: it may live as long as the ring. */
export class FramedRoom {
  readonly #all: Buffer;
  readonly room: Buffer;

  constructor(capacity: number) {
    this.#all = Buffer.allocUnsafeSlow(HEADER + capacity + TRAILER);
    this.room = this.#all.subarray(HEADER, HEADER + capacity);
  }

  /** The first `length` bytes of the room, framed. `length` must not be 0: an empty chunk would end the reply. */
  close(length: number): FramedBytes {
    if (length <= 0 || length > this.room.length)
      throw new RangeError(`${length} bytes do not make a chunk in a room of ${this.room.length}`);
    this.#all.write(length.toString(16).padStart(8, '0'), 'latin1');
    this.#all[8] = CR;
    this.#all[9] = LF;
    this.#all[HEADER + length] = CR;
    this.#all[HEADER + length + 1] = LF;
    return { framed: this.#all.subarray(0, HEADER + length + TRAILER), data: this.room.subarray(0, length) };
  }
}

export function frame(bytes: Uint8Array): FramedBytes {
  const room = new FramedRoom(bytes.length);
  room.room.set(bytes);
  return room.close(bytes.length);
}

/** The chunk of size 0 that ends a reply. */
export const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');
