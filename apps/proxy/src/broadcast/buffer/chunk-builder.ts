/** The chunk that is being built, in a block that it shares with the chunks before and after it. */
import { PACKET_SIZE } from '@acexy/mpegts';
import { type Block, BlockPool } from './block-pool.js';
import { FRAME_HEADER, FRAME_TRAILER, type FramedBytes, frameInPlace } from './framed-bytes.js';

const FRAMING = FRAME_HEADER + FRAME_TRAILER;
/** The rest of a block is left over if less than this fits in it: small chunks would cost more writes than their memory is worth. */
const MIN_CAPACITY = 64 * 1024;
const NOTHING = Buffer.alloc(0);
const POOL = new BlockPool();

export class ChunkBuilder {
  /** The memory for the bytes of the chunk, of which the first `length` are filled. Another one after each `take`. */
  bytes: Buffer = NOTHING;
  length = 0;
  readonly #capacity: number;
  #block: Block | null = null;
  /** Offset of the chunk, framing included, in the block. */
  #start = 0;

  /** `capacity` in bytes; rounded down to whole packets, at least one. */
  constructor(capacity: number) {
    this.#capacity = wholePackets(Math.max(capacity, PACKET_SIZE));
  }

  /** The chunk, or its block, has no room for another packet. */
  get full(): boolean {
    return this.length > 0 && this.length === this.bytes.length;
  }

  /** Appends as much of `buffer[from, to)` as fits and returns that length. */
  append(buffer: Buffer, from: number, to: number): number {
    if (this.#block === null) this.#continueIn(this.#newBlock(), 0);
    const copied = buffer.copy(this.bytes, this.length, from, to);
    this.length += copied;
    return copied;
  }

  /** Drops everything after the first `length` bytes. */
  truncate(length: number): void {
    this.length = Math.min(this.length, length);
  }

  /** Returns the first `length` (more than 0) bytes as a chunk, whose block is held for the caller; the rest stays. */
  take(length: number): FramedBytes {
    const block = this.#block;
    if (block === null || length <= 0 || length > this.length) {
      throw new RangeError(`chunk length is ${length}: it must be between 1 and ${this.length} bytes`);
    }
    const start = this.#start;
    const restFrom = start + FRAME_HEADER + length;
    const restTo = start + FRAME_HEADER + this.length;
    block.hold();
    const room = roomFrom(block, restFrom + FRAME_TRAILER);
    const staysInBlock = room >= Math.min(this.#capacity, MIN_CAPACITY) && room > restTo - restFrom;
    this.#continueIn(staysInBlock ? block : this.#newBlock(), staysInBlock ? restFrom + FRAME_TRAILER : 0);
    this.length = block.bytes.copy(this.bytes, 0, restFrom, restTo);
    return frameInPlace(block.bytes, start, length, block);
  }

  #newBlock(): Block {
    return POOL.take(this.#capacity + FRAMING);
  }

  /** The builder holds the block of the chunk that it builds. */
  #continueIn(block: Block, start: number): void {
    if (block !== this.#block) {
      block.hold();
      this.#block?.release();
      this.#block = block;
    }
    this.#start = start;
    const from = start + FRAME_HEADER;
    this.bytes = block.bytes.subarray(from, from + Math.min(this.#capacity, roomFrom(block, start)));
  }
}

/** Bytes of whole packets that a chunk from `start` on can have. */
function roomFrom(block: Block, start: number): number {
  return Math.max(0, wholePackets(block.bytes.length - start - FRAMING));
}

function wholePackets(bytes: number): number {
  return Math.floor(bytes / PACKET_SIZE) * PACKET_SIZE;
}
