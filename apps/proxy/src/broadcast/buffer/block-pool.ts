/**
 * Memory for the chunks of all streams of this process, used again: fresh memory would cost page faults and garbage collection with every chunk.
 * A block returns to the pool when the ring has evicted its chunks and no socket still sends one of them.
 */

/** A multiple of usual chunk sizes, so that little is left over at the end of a block. */
export const BLOCK_BYTES = 512 * 1024;
/** Free blocks kept (64 MiB): streams whose rings are full give back as many blocks as they take, but a hundred of them may do so at one moment. */
const MAX_FREE = 128;

export class Block {
  #holds = 0;
  #pinned = false;

  constructor(
    readonly bytes: Buffer,
    private readonly onFree: (block: Block) => void,
  ) {}

  /** The memory is needed until a call of `release`. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0 && !this.#pinned) this.onFree(this);
  }

  /** The memory is not used again but left to the garbage collector: somebody keeps it who cannot say for how long. */
  pin(): void {
    this.#pinned = true;
  }
}

export class BlockPool {
  readonly #free: Block[] = [];
  readonly #onFree = (block: Block): void => {
    if (block.bytes.length === BLOCK_BYTES && this.#free.length < MAX_FREE) this.#free.push(block);
  };

  /** A block of at least `bytes`, which nobody holds yet. */
  take(bytes: number): Block {
    const size = Math.max(bytes, BLOCK_BYTES);
    const free = size === BLOCK_BYTES ? this.#free.pop() : undefined;
    return free ?? new Block(Buffer.allocUnsafeSlow(size), this.#onFree);
  }
}
