/** One viewer: a place in the ring and at most one unfinished write. */
import { NULL_PACKET, PACKET_SIZE, Restamper, type StreamSnapshot, StreamState } from '@acexy/mpegts';
import type { BroadcastSettings } from '../broadcast-settings.js';
import type { Clock } from '@acexy/service-kit/primitives';
import { type FramedBytes, LAST_CHUNK, frame } from '../buffer/framed-bytes.js';
import { chooseAccessPoint } from './join.policy.js';
import { spliceAt } from './jump.js';
import { ViewerRewriter, type Tables } from './viewer-rewriter.js';
import type { Chunk } from '../buffer/ring.js';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import type { AccessPoint } from '../buffer/stream-index.js';
import type { ViewerEndReason, ViewerHooks, ViewerSink } from './viewer-sink.js';

const FILLER = frame(NULL_PACKET);

/** What viewers share with their broadcast. */
export interface ViewerContext {
  readonly buffer: StreamBuffer;
  readonly settings: BroadcastSettings;
  readonly clock: Clock;
  /** No more steps will come. */
  readonly ended: boolean;
  /** The viewer is to be forgotten. */
  onGone(viewer: Viewer): void;
}

/** 'waiting' for a place to join at; 'streaming'; 'gone' for good. */
type ViewerState = 'waiting' | 'streaming' | 'gone';

export class Viewer {
  /** When it came (milliseconds of the clock). */
  readonly joinedAt: number;
  #state: ViewerState = 'waiting';
  /** Index of the next step to send. */
  #next = 0;
  /** Byte within the next step to begin at: only on the first one after joining or jumping. */
  #from = 0;
  #lastStep: Chunk | null = null;
  /** On joining, what it was given of the step after `#lastStep` while that was still being filled. */
  #ahead: Buffer | null = null;
  /** It has yet to reach the live edge for the first time. */
  #joining = false;
  /** What it has yet to be sent before its first bytes. */
  #tables: Tables | null = null;
  #ownCopy: ViewerRewriter | null = null;
  #restamper: Restamper | null = null;
  #writing = false;
  #writingSince = 0;
  #writingBytes = 0;
  #pumping = false;
  #bytesSent = 0;
  #skips = 0;
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

  /** Bytes of stream that have been written out, chunk framing not counted. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** How often it has jumped. */
  get skips(): number {
    return this.#skips;
  }

  /** Bytes of the ring that it has not been sent in full; 0 while waiting. */
  get lagBytes(): number {
    const { ring } = this.context.buffer;
    const step = this.#unfinished();
    return step === undefined ? 0 : ring.endPosition - step.position;
  }

  /** The same in milliseconds of media. */
  get lagMs(): number {
    const step = this.#unfinished();
    if (step === undefined) return 0;
    const before = this.context.buffer.ring.step(step.index - 1);
    return Math.max(0, this.context.buffer.index.clock.elapsedMs - (before ?? step).mediaMs);
  }

  /** Milliseconds that the unfinished write has taken so far; 0 where there is none. */
  get writingMs(): number {
    return this.#writing ? this.context.clock.now() - this.#writingSince : 0;
  }

  /** Lets a waiting viewer in at byte `from` of step `index`; `tables` go first, if they are known. */
  join(index: number, from: number, tables: Tables | null): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'streaming';
    this.#joining = true;
    this.#next = index;
    this.#from = from;
    this.#tables = tables;
    this.hooks.onFirstByte?.();
    this.pump();
  }

  /** Writes what there is to write, as far as the viewer takes it. Called whenever that may have changed. */
  pump(): void {
    if (this.#pumping) return; // a sink that is done at once calls back while we are still in the loop
    this.#pumping = true;
    try {
      if (this.#state === 'waiting' && this.context.ended) this.#finish(); // there was never a byte
      while (this.#state === 'streaming' && !this.#writing) {
        const bytes = this.#take();
        if (bytes !== null) {
          this.#write(bytes);
        } else if (this.#caughtUp()) {
          if (this.context.ended) this.#finish();
          return;
        }
      }
    } catch (error) {
      this.leave('write-failed', asError(error)); // whatever is wrong with one viewer stays with it
    } finally {
      this.#pumping = false;
    }
  }

  /** Keeps the connection from going quiet; only where there is nothing else to send. */
  writeFiller(): void {
    if (this.#state !== 'streaming' || this.#writing || this.#bytesSent === 0 || !this.#caughtUp()) return;
    try {
      this.#write(FILLER);
    } catch (error) {
      this.leave('write-failed', asError(error));
    }
  }

  /** Lets go of the viewer; nothing is written any more. */
  leave(reason: ViewerEndReason, error?: Error): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#lastStep = null;
    this.#ahead = null;
    this.#tables = null;
    this.#ownCopy = null;
    this.#restamper = null;
    this.context.onGone(this);
    this.hooks.onEnd(reason, error);
  }

  #finish(): void {
    this.sink.end(this.sink.framing === 'chunked' ? LAST_CHUNK : undefined);
    this.leave('source-ended');
  }

  #unfinished(): Chunk | undefined {
    if (this.#state !== 'streaming') return undefined;
    if (this.#writing && this.#lastStep !== null) return this.#lastStep;
    return this.context.buffer.ring.step(this.#next);
  }

  #caughtUp(): boolean {
    return this.#state === 'streaming' && this.#next >= this.context.buffer.ring.nextIndex;
  }

  /** The next bytes, or null where there are none or none of the next step are for this viewer. */
  #take(): FramedBytes | null {
    const { ring } = this.context.buffer;
    if (this.#next < ring.firstIndex && !this.#jump()) return null;
    const step = ring.step(this.#next);
    if (step === undefined) return this.#takeAhead();
    const from = this.#from;
    this.#from = 0;
    this.#next += 1;
    this.#lastStep = step;
    this.#ahead = null;
    return this.#share(step, from);
  }

  /** Shared bytes where nothing stands against it, else a copy; null where nothing of them is for this viewer. */
  #share(bytes: Chunk, from: number): FramedBytes | null {
    if (this.#takesAll(from)) return bytes;
    return this.#copy(bytes.data, from, bytes.position);
  }

  /** What is there goes to this viewer from its first byte on, as it is. */
  #takesAll(from: number): boolean {
    return this.#ownCopy === null && this.#tables === null && from === 0;
  }

  #copy(data: Buffer, from: number, position: number): FramedBytes | null {
    if (this.#ownCopy === null) {
      const tables = this.#tables;
      this.#tables = null;
      const shared = this.context.buffer.copies.of(tables, data, from, position);
      if (shared !== undefined) return shared;
      this.#ownCopy = new ViewerRewriter(tables, null);
    }
    const copy = this.#ownCopy.of(data, from, position);
    if (this.#ownCopy.done) this.#ownCopy = null;
    return copy;
  }

  /** A joining viewer at the live edge does not wait for the step to be finished: it gets a copy of the pictures that are whole already. */
  #takeAhead(): FramedBytes | null {
    if (!this.#joining) return null;
    this.#joining = false;
    const whole = this.context.buffer.wholeUnits();
    if (whole.length <= this.#from) return null;
    const takesAll = this.#takesAll(this.#from);
    const copy = this.#copy(whole, this.#from, this.context.buffer.ring.endPosition);
    this.#ahead = takesAll && copy !== null ? copy.data : Buffer.from(whole);
    this.#from = whole.length;
    return copy;
  }

  /** The viewer's place has left the ring. False where it is let go instead. */
  #jump(): boolean {
    const { settings } = this.context;
    const { ring, index } = this.context.buffer;
    if (settings.slowClient === 'drop' || this.#skips >= settings.maxSkips) {
      this.leave('too-slow');
      return false;
    }
    this.#skips += 1;
    this.hooks.onSkip?.(this.#skips);
    const points = ring.points.filter((point) => point.position < ring.endPosition);
    const point = chooseAccessPoint(points, index.clock.elapsedMs, { joinMode: 'keyframe', joinSeconds: settings.joinSeconds });
    this.#landAt(point);
    return true;
  }

  /** Without an entry point it goes on with the oldest step there is. */
  #landAt(point: AccessPoint | null): void {
    const { ring } = this.context.buffer;
    const position = point?.position ?? ring.step(ring.firstIndex)?.position ?? 0;
    const step = ring.stepAt(position);
    if (step === undefined) throw new Error(`the ring has no byte ${position}`);
    this.#next = step.index;
    this.#from = position - step.position;
    this.#restamper ??= new Restamper(this.#sentUpTo());
    this.#ahead = null;
    spliceAt(this.#restamper, ring, position);
    this.#tables = null;
    this.#ownCopy = new ViewerRewriter(point, this.#restamper);
  }

  /** Counters and clocks at the end of what it was sent, from before its first jump. */
  #sentUpTo(): StreamSnapshot {
    const state = this.#lastStep === null ? new StreamState() : StreamState.from(this.#lastStep.exit);
    if (this.#ahead !== null) for (let at = 0; at < this.#ahead.length; at += PACKET_SIZE) state.observe(this.#ahead, at);
    return state.snapshot();
  }

  #write(bytes: FramedBytes): void {
    this.#writing = true;
    this.#writingSince = this.context.clock.now();
    this.#writingBytes = bytes.data.length;
    this.sink.write(this.sink.framing === 'chunked' ? bytes.framed : bytes.data, this.#onWritten);
  }

  #written(error?: Error | null): void {
    if (!this.#writing) return;
    this.#writing = false;
    if (this.#state === 'gone') return;
    if (error) {
      this.leave('write-failed', error);
      return;
    }
    this.#bytesSent += this.#writingBytes;
    this.pump();
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
