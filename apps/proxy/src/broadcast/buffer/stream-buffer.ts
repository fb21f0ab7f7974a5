/** The stream as far as it is kept: packets come in, are indexed once, gather in the open step and go over into the ring step by step. */
import { NONE, PACKET_SIZE, type StreamSnapshot, StreamState } from '@acexy/mpegts';
import type { BroadcastSettings } from '../broadcast-settings.js';
import type { Clock } from '@acexy/service-kit/primitives';
import { ChunkBuilder } from './chunk-builder.js';
import { Ring } from './ring.js';
import { JoinCopyCache } from '../viewers/join-copy-cache.js';
import { StreamIndex } from './stream-index.js';
import { blankUnfinishedUnits, lengthOfWholeUnits } from '../../../../../libs/mpegts/src/unfinished-units.js';

export class StreamBuffer {
  readonly ring: Ring;
  readonly index: StreamIndex;
  /** What viewers who join at the same moment are sent alike. */
  readonly copies = new JoinCopyCache();
  readonly #open: ChunkBuilder;
  readonly #exit = new StreamState();
  #packets = 0;
  #firstPacketAt = 0;
  #lastPacketAt: number | null = null;
  #openSince = 0;
  #programKnown = false;

  /** `onStep` is called after each step that has gone into the ring. */
  constructor(
    settings: BroadcastSettings,
    private readonly clock: Clock,
    private readonly onStep: () => void,
  ) {
    this.ring = new Ring(settings);
    this.#open = new ChunkBuilder(settings.stepBytes);
    this.index = new StreamIndex(
      () => clock.now(),
      (point) => this.ring.addPoint(point),
    );
  }

  /** Packets taken so far. */
  get packets(): number {
    return this.#packets;
  }

  /** Breaks of continuity in what has gone over into the ring. */
  get breaks(): number {
    return this.#exit.breaks;
  }

  /** Milliseconds of the clock; 0 before there are any. */
  get firstPacketAt(): number {
    return this.#firstPacketAt;
  }

  /** When packets last became part of the stream, in milliseconds of the clock; null before there are any. */
  get lastPacketAt(): number | null {
    return this.#lastPacketAt;
  }

  /** Bytes of the open step. */
  get openLength(): number {
    return this.#open.length;
  }

  /** Milliseconds for which the open step has been held back. */
  get openMs(): number {
    return this.clock.now() - this.#openSince;
  }

  /** What is in the open step counts as held back from now on. */
  holdAnew(): void {
    this.#openSince = this.clock.now();
  }

  /** Bytes of the open step up to its newest unit: up to there every picture is whole. 0 where no unit begins in it. */
  get wholeLength(): number {
    return Math.max(0, this.index.unitPosition - this.ring.endPosition);
  }

  /** Bytes of the open step before any sound that is not whole yet; all of them where it begins with such. */
  get wholeSoundLength(): number {
    return lengthOfWholeUnits(this.#open.bytes, this.#open.length, this.index.program?.accessPid ?? NONE) || this.#open.length;
  }

  /** The whole pictures of the open step: a view that is good only at once. */
  wholeUnits(): Buffer {
    return this.#open.bytes.subarray(0, this.wholeLength);
  }

  /** Units are known to begin somewhere, so that a step can be made to end before one. */
  get knowsUnits(): boolean {
    return this.index.unitPosition !== NONE;
  }

  /** Position of the first byte that is still there. */
  get startPosition(): number {
    return this.ring.startPosition;
  }

  /** Position behind the last packet taken in, handed out or not. */
  get takenEnd(): number {
    return this.ring.endPosition + this.#open.length;
  }

  /** The bytes from `position` (at least `startPosition`) on, as far as they lie together: a view that is good only at once. Empty at the end. */
  bytesFrom(position: number): Buffer {
    const open = position - this.ring.endPosition;
    if (open >= 0) return this.#open.bytes.subarray(open, this.#open.length);
    const step = this.ring.stepAt(position);
    if (step === undefined) throw new RangeError(`the stream has no byte ${position} any more`);
    return step.data.subarray(position - step.position);
  }

  /** Counters and clocks after the last packet taken in. */
  takenState(): StreamSnapshot {
    return this.#stateAfter(this.#open.length);
  }

  /** Counters and clocks where `cutTail` would end the stream. */
  cutState(): StreamSnapshot {
    return this.#stateAfter(this.#cutLength);
  }

  /**
   * Gives up the unfinished picture at the end, so that another piece of stream can follow. What has been handed out of it already stays. Returns
   * counters and clocks at the new end.
   */
  cutTail(): StreamSnapshot {
    const kept = this.#cutLength;
    if (kept > 0) {
      blankUnfinishedUnits(this.#open.bytes, kept, this.index.program?.accessPid ?? NONE);
      this.close(kept);
    }
    this.#truncate(0);
    // The next piece has a clock of its own.
    this.index.anchors.clear();
    return this.#exit.snapshot();
  }

  /** Bytes of the open step before the unfinished picture; all of them where its beginning has been handed out. */
  get #cutLength(): number {
    return this.index.unitPosition >= this.ring.endPosition ? this.wholeLength : this.#open.length;
  }

  #stateAfter(length: number): StreamSnapshot {
    const state = StreamState.from(this.#exit.snapshot());
    for (let at = 0; at < length; at += PACKET_SIZE) state.observe(this.#open.bytes, at);
    return state.snapshot();
  }

  /** Takes back what lies behind `position`, as far as it has not been handed out. No clock reference may lie there. */
  trimTo(position: number): void {
    const length = Math.max(0, position - this.ring.endPosition);
    if (length < this.#open.length) this.#truncate(length);
  }

  #truncate(length: number): void {
    this.copies.clear();
    this.#open.truncate(length);
    this.ring.dropPointsFrom(this.takenEnd);
    const { counters } = this.takenState();
    this.index.cutAt(this.takenEnd, (pid) => counters.find((entry) => entry.pid === pid)?.counter ?? NONE);
  }

  /** Takes the whole packets in `buffer[from, to)`. */
  take(buffer: Buffer, from: number, to: number): void {
    this.#lastPacketAt = this.clock.now();
    if (this.#packets === 0) this.#firstPacketAt = this.#lastPacketAt;
    this.#packets += (to - from) / PACKET_SIZE;
    let at = from;
    while (at < to) {
      if (this.#open.length === 0) this.#openSince = this.clock.now();
      const start = this.#open.length;
      at += this.#open.append(buffer, at, to);
      this.#indexFrom(start);
      if (this.#open.full) this.close(this.wholeLength || this.wholeSoundLength);
    }
  }

  /** Makes a step of the first `length` bytes (more than 0) of the open one. */
  close(length: number): void {
    this.copies.clear();
    const bytes = this.#open.take(length);
    for (let at = 0; at < length; at += PACKET_SIZE) this.#exit.observe(bytes.data, at);
    this.ring.append(bytes, this.index.clock.elapsedMs, this.#exit.snapshot());
    this.#openSince = this.clock.now();
    this.onStep();
  }

  /** Reads the new packets in the open step. */
  #indexFrom(start: number): void {
    const position = this.ring.endPosition;
    const bytes = this.#open.bytes;
    for (let at = start; at < this.#open.length; at += PACKET_SIZE) {
      this.index.observe(bytes, at, position + at);
      if (!this.#programKnown && this.index.program !== null) this.#readAgain(at + PACKET_SIZE);
    }
  }

  /** The program has just become known: a keyframe may have gone by unrecognised before its tables. */
  #readAgain(until: number): void {
    this.#programKnown = true;
    for (let index = this.ring.firstIndex; index < this.ring.nextIndex; index += 1) {
      const step = this.ring.step(index);
      if (step === undefined) continue;
      for (let at = 0; at < step.data.length; at += PACKET_SIZE) this.index.observe(step.data, at, step.position + at);
    }
    for (let at = 0; at < until; at += PACKET_SIZE) this.index.observe(this.#open.bytes, at, this.ring.endPosition + at);
  }
}
