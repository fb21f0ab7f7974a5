/**
 * Makes a copy that several joining viewers need only once. Viewers that join at the same position get the same bytes, and a thousand may join
 * at the same moment: when a match starts, or when another proxy has failed.
 */
import type { FramedBytes } from '../buffer/framed-bytes.js';
import { type JoinTables, ViewerRewriter } from './viewer-rewriter.js';

interface CachedCopy {
  readonly tables: JoinTables | null;
  readonly position: number;
  readonly from: number;
  readonly length: number;
  /** Undefined if one copy is not enough. */
  readonly bytes: FramedBytes | null | undefined;
}

/** Positions at which viewers join at one moment: a few random-access points, and the growing live edge. */
const KEPT = 4;

export class JoinCopyCache {
  #copies: CachedCopy[] = [];

  /**
   * The copy of `data`, which is at `position` in the stream, from byte `from` on, for a viewer that starts with `tables`. Null if nothing of it
   * is for that viewer. Undefined if the viewer also needs copies of later data, so that nothing can be shared.
   */
  get(tables: JoinTables | null, data: Buffer, from: number, position: number): FramedBytes | null | undefined {
    if (tables?.lateEntry !== undefined) return undefined; // each viewer waits for its own random-access point
    const { length } = data;
    const cached = this.#copies.find(
      (copy) => copy.position === position && copy.from === from && copy.length === length && copy.tables === tables,
    );
    if (cached !== undefined) return cached.bytes;
    const rewriter = new ViewerRewriter(tables, null);
    const copy = rewriter.copy(data, from, position);
    const bytes = rewriter.done ? copy : undefined;
    this.#copies = [{ tables, position, from, length, bytes }, ...this.#copies.slice(0, KEPT - 1)];
    return bytes;
  }

  /** The live edge has moved. */
  clear(): void {
    this.#copies = [];
  }
}
