/** One viewer: a position in the ring and at most one unfinished write. */
import { ContinuityState, FirstTimestamps, NULL_PACKET, forEachBlock, spliceOffset } from '@acexy/mpegts';
import { asError, type Clock } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from '../broadcast-settings.js';
import { type FramedBytes, LAST_CHUNK, frame } from '../buffer/framed-bytes.js';
import type { Chunk } from '../buffer/ring.js';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import type { RandomAccessPoint } from '../buffer/stream-index.js';
import type { JoinCopyCache } from './join-copy-cache.js';
import { chooseRandomAccessPoint } from './join.policy.js';
import { type JoinTables, ViewerRewriter } from './viewer-rewriter.js';
import type { ViewerEndReason, ViewerHooks, ViewerSink } from './viewer-sink.js';

const FILLER = frame(NULL_PACKET);

/** What the viewers of a broadcast share. */
export interface ViewerContext {
  readonly buffer: StreamBuffer;
  readonly joinCopies: JoinCopyCache;
  readonly settings: BroadcastSettings;
  readonly clock: Clock;
  /** No more chunks will come. */
  readonly ended: boolean;
  onGone(viewer: Viewer): void;
  /** An exception that has no other owner. */
  onException(error: unknown): void;
}

/** 'waiting' for a position to join at; 'streaming'; 'gone': removed. */
type ViewerState = 'waiting' | 'streaming' | 'gone';

export class Viewer {
  /** When it was added (milliseconds of the clock). */
  readonly joinedAt: number;
  #state: ViewerState = 'waiting';
  /** Index of the next chunk to send. */
  #next = 0;
  /** First byte to send of the next chunk: above 0 only for the first one after a join or a skip. */
  #from = 0;
  #lastChunk: Chunk | null = null;
  /** What it was sent of the pending chunk when it joined. */
  #partialChunk: Buffer | null = null;
  /** It has not reached the live edge yet. */
  #joining = false;
  /** To be sent before its first bytes. */
  #tables: JoinTables | null = null;
  #rewriter: ViewerRewriter | null = null;
  /** Since its first skip: counters and clocks of what it was sent. */
  #sent: ContinuityState | null = null;
  #writingSince = 0;
  /** What is being written; its memory is held until then. */
  #unwritten: FramedBytes | null = null;
  #pumping = false;
  /** Stream bytes that were written, without chunk framing. */
  bytesSent = 0;
  skips = 0;
  /** One function for all writes, so that a write allocates nothing. */
  readonly #onWritten = (error?: Error | null): void => this.#written(error);

  constructor(
    readonly id: number,
    private readonly sink: ViewerSink,
    private readonly hooks: ViewerHooks,
    private readonly context: ViewerContext,
  ) {
    this.joinedAt = context.clock.now();
  }

  /** Bytes of the ring that were not written completely; 0 while waiting. */
  get lagBytes(): number {
    const chunk = this.#unfinishedChunk();
    return chunk === undefined ? 0 : this.context.buffer.ring.endPosition - chunk.position;
  }

  /** The same in milliseconds of media. */
  get lagMs(): number {
    const { ring, index } = this.context.buffer;
    const chunk = this.#unfinishedChunk();
    return chunk === undefined ? 0 : Math.max(0, index.clock.elapsedMs - (ring.chunk(chunk.index - 1) ?? chunk).mediaMs);
  }

  /** Milliseconds since the unfinished write started; 0 if there is none. */
  get writingMs(): number {
    return this.#unwritten !== null ? this.context.clock.now() - this.#writingSince : 0;
  }

  /** Starts a waiting viewer at byte `from` of chunk `index`, after `tables` if they are known. */
  join(index: number, from: number, tables: JoinTables | null): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'streaming';
    this.#joining = true;
    this.#next = index;
    this.#from = from;
    this.#tables = tables;
    try {
      this.hooks.onFirstByte?.(this.id);
    } catch (error) {
      this.leave('failed', error);
    }
    this.pump();
  }

  /** Writes as much as the viewer takes. Called whenever there may be more to write. */
  pump(): void {
    if (this.#pumping) return; // a sink that finishes at once calls back during this loop
    this.#pumping = true;
    try {
      if (this.#state === 'waiting' && this.context.ended) this.#finish(); // the stream had no bytes
      while (this.#state === 'streaming' && this.#unwritten === null) {
        const bytes = this.#take();
        if (bytes !== null) {
          this.#write(bytes);
        } else if (this.#caughtUp()) {
          if (this.context.ended) this.#finish();
          return;
        }
      }
    } catch (error) {
      this.leave('failed', error); // an exception of one viewer must not affect the others
    } finally {
      this.#pumping = false;
    }
  }

  /** Sends a null packet to prevent read time-outs, if there is nothing else to send. */
  writeFiller(): void {
    if (this.#state !== 'streaming' || this.#unwritten !== null || this.bytesSent === 0 || !this.#caughtUp()) return;
    this.#write(FILLER);
  }

  /** Removes the viewer; nothing more is written. */
  leave(reason: ViewerEndReason, error?: unknown): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#lastChunk = null;
    this.#partialChunk = null;
    this.#tables = null;
    this.#rewriter = null;
    this.#sent = null;
    this.context.onGone(this);
    try {
      this.hooks.onEnd(reason, error === undefined ? undefined : asError(error));
    } catch (thrown) {
      this.context.onException(thrown);
    }
  }

  #finish(): void {
    this.sink.end(this.sink.framing === 'chunked' ? LAST_CHUNK : undefined);
    this.leave('source-ended');
  }

  #unfinishedChunk(): Chunk | undefined {
    if (this.#state !== 'streaming') return undefined;
    if (this.#unwritten !== null && this.#lastChunk !== null) return this.#lastChunk;
    return this.context.buffer.ring.chunk(this.#next);
  }

  #caughtUp(): boolean {
    return this.#state === 'streaming' && this.#next >= this.context.buffer.ring.nextIndex;
  }

  /** The next bytes; null if there are none, or if nothing of the next chunk is for this viewer. */
  #take(): FramedBytes | null {
    const { ring } = this.context.buffer;
    if (this.#next < ring.firstIndex && !this.#skip()) return null;
    const chunk = ring.chunk(this.#next);
    if (chunk === undefined) return this.#takePartialChunk();
    const from = this.#from;
    this.#from = 0;
    this.#next += 1;
    this.#lastChunk = chunk;
    this.#partialChunk = null;
    return this.#sharesFrom(from) ? chunk : this.#copy(chunk.data, from, chunk.position);
  }

  /** Whether this viewer gets the stream's bytes unchanged. */
  #sharesFrom(from: number): boolean {
    return this.#rewriter === null && this.#tables === null && from === 0;
  }

  #copy(data: Buffer, from: number, position: number): FramedBytes | null {
    if (this.#rewriter === null) {
      const tables = this.#tables;
      this.#tables = null;
      const shared = this.context.joinCopies.get(tables, data, from, position);
      if (shared !== undefined) return shared;
      this.#rewriter = new ViewerRewriter(tables, null);
    }
    const copy = this.#rewriter.copy(data, from, position);
    if (this.#rewriter.done) this.#rewriter = null;
    return copy;
  }

  /** A joining viewer does not wait for the pending chunk: it gets a copy of the pictures in it that are already complete. */
  #takePartialChunk(): FramedBytes | null {
    if (!this.#joining) return null;
    this.#joining = false;
    const { buffer } = this.context;
    const complete = buffer.handOutCompleteVideo();
    if (complete.length <= this.#from) return null;
    const takesAll = this.#sharesFrom(this.#from);
    const copy = this.#copy(complete, this.#from, buffer.ring.endPosition);
    this.#partialChunk = takesAll && copy !== null ? copy.data : Buffer.from(complete);
    this.#from = complete.length;
    return copy;
  }

  /** The viewer's position was evicted: moves it to a newer one. False if it is removed instead. */
  #skip(): boolean {
    const { settings, buffer } = this.context;
    const { ring, index } = buffer;
    if (settings.slowClient === 'drop' || this.skips >= settings.maxSkips) {
      this.leave('too-slow');
      return false;
    }
    this.skips += 1;
    this.hooks.onSkip?.(this.skips);
    const points = ring.points.filter((point) => point.position < ring.endPosition);
    this.#continueAt(chooseRandomAccessPoint(points, index.clock.elapsedMs, { joinMode: 'keyframe', joinSeconds: settings.joinSeconds }));
    return true;
  }

  /** Null: at the oldest chunk. From there on the viewer's own clocks and counters continue those that it was sent. */
  #continueAt(point: RandomAccessPoint | null): void {
    const { ring } = this.context.buffer;
    const position = point?.position ?? ring.startPosition;
    const chunk = ring.chunkAt(position);
    if (chunk === undefined) throw new Error(`the ring has no byte ${position}: it ends at ${ring.endPosition}`);
    this.#sent ??= this.#stateSent();
    this.#next = chunk.index;
    this.#from = position - chunk.position;
    this.#partialChunk = null;
    this.#tables = null;
    const last = this.#sent.snapshot();
    const first = new FirstTimestamps();
    forEachBlock(ring, position, (bytes) => {
      if (!first.hasFound(last.clocks.length)) first.read(bytes, 0);
    });
    this.#rewriter = new ViewerRewriter(point, { sent: this.#sent, offset: spliceOffset(last, first) });
  }

  /** Counters and clocks at the end of what it was sent before its first skip. */
  #stateSent(): ContinuityState {
    const state = this.#lastChunk === null ? new ContinuityState() : ContinuityState.from(this.#lastChunk.endState);
    if (this.#partialChunk !== null) state.observe(this.#partialChunk, 0, this.#partialChunk.length);
    return state;
  }

  #write(bytes: FramedBytes): void {
    this.#writingSince = this.context.clock.now();
    this.#unwritten = bytes;
    bytes.block?.hold();
    try {
      this.sink.write(this.sink.framing === 'chunked' ? bytes.framed : bytes.data, this.#onWritten);
    } catch (error) {
      this.leave('write-failed', error);
    }
  }

  #written(error?: Error | null): void {
    const bytes = this.#unwritten;
    if (bytes === null) return;
    this.#unwritten = null;
    bytes.block?.release();
    if (this.#state === 'gone') return;
    if (error) {
      this.leave('write-failed', error);
      return;
    }
    this.bytesSent += bytes.data.length;
    this.pump();
  }
}
