/**
 * Copies that several viewers need at the same moment, made once. Whoever joins at the same place is sent the same bytes, and a thousand may join
 * together: when a match begins, or when another proxy has gone.
 */
import type { FramedBytes } from '../buffer/framed-bytes.js';
import { ViewerRewriter, type Tables } from './viewer-rewriter.js';

interface Copy {
  readonly tables: Tables | null;
  readonly position: number;
  readonly from: number;
  readonly length: number;
  /** Undefined where one copy is not enough. */
  readonly bytes: FramedBytes | null | undefined;
}

/** Places at which viewers join at one moment: a few entry points, and the live edge as it grows. */
const KEPT = 4;

export class JoinCopyCache {
  #copies: Copy[] = [];

  /**
   * What a viewer who begins with `tables` (null: without) is sent of `data`, which lies at `position` in the stream, from byte `from` on; null where
   * nothing of it is for that viewer. Undefined where it goes on to need a copy of its own after this one, so that none can be shared.
   */
  of(tables: Tables | null, data: Buffer, from: number, position: number): FramedBytes | null | undefined {
    if (tables?.lateEntry !== undefined) return undefined; // every viewer's search for a picture is its own
    const { length } = data;
    const known = this.#copies.find(
      (copy) => copy.position === position && copy.from === from && copy.length === length && copy.tables === tables,
    );
    if (known !== undefined) return known.bytes;
    const own = new ViewerRewriter(tables, null);
    const made = own.of(data, from, position);
    const bytes = own.done ? made : undefined;
    this.#copies = [{ tables, position, from, length, bytes }, ...this.#copies.slice(0, KEPT - 1)];
    return bytes;
  }

  /** The stream has gone on, or was taken back: nobody joins there any more, or other bytes lie there now. */
  clear(): void {
    this.#copies = [];
  }
}
