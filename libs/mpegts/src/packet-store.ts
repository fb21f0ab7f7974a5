/** Whole packets that are kept in several blocks of memory, addressed by their position in the stream. */
export interface PacketStore {
  /** Position of the first byte kept, and the position after the last one. */
  readonly startPosition: number;
  readonly endPosition: number;
  /** The block from `position` on: at least a packet, empty at the end. A view that is only valid until the store changes. */
  bytesFrom(position: number): Buffer;
}

/** Calls `visit` for each block from `from` on. */
export function forEachBlock(store: PacketStore, from: number, visit: (bytes: Buffer, position: number) => void): void {
  for (let position = from; position < store.endPosition;) {
    const bytes = store.bytesFrom(position);
    visit(bytes, position);
    position += bytes.length;
  }
}
