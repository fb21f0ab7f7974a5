/** The part of the stream that is kept: packets are indexed once, collected into the pending chunk and moved to the ring chunk by chunk. */
import {
  type ContinuitySnapshot,
  ContinuityState,
  NONE,
  PACKET_SIZE,
  type PacketStore,
  blankUnfinishedPes,
  lengthBeforeUnfinishedPes,
} from '@acexy/mpegts';
import type { Clock } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from '../broadcast-settings.js';
import { ChunkBuilder } from './chunk-builder.js';
import { Ring } from './ring.js';
import { StreamIndex } from './stream-index.js';

export class StreamBuffer implements PacketStore {
  readonly ring: Ring;
  readonly index: StreamIndex;
  readonly #pending: ChunkBuilder;
  /** At the end of the ring. */
  readonly #state = new ContinuityState();
  packets = 0;
  /** Milliseconds of the clock; 0 before the first packet. */
  firstPacketAt = 0;
  /** When the last packets were added (milliseconds of the clock); null before the first packet. */
  lastPacketAt: number | null = null;
  #pendingSince = 0;
  /** Bytes of the pending chunk that viewers already have: they are neither changed nor dropped. */
  #handedOut = 0;

  constructor(
    settings: BroadcastSettings,
    private readonly clock: Clock,
    /** A chunk was added to the ring. */
    private readonly onChunk: () => void,
  ) {
    this.ring = new Ring(settings);
    this.#pending = new ChunkBuilder(settings.chunkBytes);
    this.index = new StreamIndex(
      () => clock.now(),
      (point) => this.ring.addPoint(point),
    );
  }

  /** Continuity errors in the chunks so far. */
  get counterBreaks(): number {
    return this.#state.breaks;
  }

  get pendingLength(): number {
    return this.#pending.length;
  }

  /** Milliseconds for which the pending chunk has been held back. */
  get pendingMs(): number {
    return this.clock.now() - this.#pendingSince;
  }

  restartPendingTime(): void {
    this.#pendingSince = this.clock.now();
  }

  /** Length of the pending chunk up to its newest unit: all pictures before that are complete. 0 if no unit starts in it. */
  get completeVideoLength(): number {
    return Math.max(0, this.index.unitPosition - this.ring.endPosition);
  }

  /** Length of the pending chunk before any incomplete audio; the whole length if it starts with incomplete audio. */
  get completeAudioLength(): number {
    return lengthBeforeUnfinishedPes(this.#pending.bytes, this.#pending.length, this.#accessPid) || this.#pending.length;
  }

  /** The complete pictures of the pending chunk, for a viewer that joins: a view that is only valid until the buffer changes. */
  handOutCompleteVideo(): Buffer {
    this.#handedOut = Math.max(this.#handedOut, this.completeVideoLength);
    return this.#pending.bytes.subarray(0, this.completeVideoLength);
  }

  get startPosition(): number {
    return this.ring.startPosition;
  }

  /** Includes the pending chunk. */
  get endPosition(): number {
    return this.ring.endPosition + this.#pending.length;
  }

  bytesFrom(position: number): Buffer {
    const offset = position - this.ring.endPosition;
    return offset >= 0 ? this.#pending.bytes.subarray(offset, this.#pending.length) : this.ring.bytesFrom(position);
  }

  /** Counters and clocks at `endPosition`. */
  stateAtEnd(): ContinuitySnapshot {
    return this.#stateAfter(this.#pending.length);
  }

  /** Counters and clocks at the end that `cut` would leave. */
  stateAtCut(): ContinuitySnapshot {
    return this.#stateAfter(this.#cutLength);
  }

  /** Drops the incomplete picture at the end, so that another section can follow. A part of it that is already in the ring stays. */
  cut(): ContinuitySnapshot {
    const kept = this.#cutLength;
    if (kept > 0) {
      const from = this.#handedOut;
      blankUnfinishedPes(this.#pending.bytes.subarray(from), kept - from, this.#accessPid);
      this.closeChunk(kept);
    }
    this.#truncate(0);
    this.index.anchors.clear(); // the next section has another clock
    return this.#state.snapshot();
  }

  /** Drops the pending bytes after `position`, except those that viewers already have. They must not contain a PCR. */
  trimTo(position: number): void {
    const length = Math.max(this.#handedOut, position - this.ring.endPosition);
    if (length < this.#pending.length) this.#truncate(length);
  }

  /** Adds the whole packets in `buffer[from, to)`. */
  take(buffer: Buffer, from: number, to: number): void {
    this.lastPacketAt = this.clock.now();
    if (this.packets === 0) this.firstPacketAt = this.lastPacketAt;
    this.packets += (to - from) / PACKET_SIZE;
    let at = from;
    while (at < to) {
      if (this.#pending.length === 0) this.restartPendingTime();
      const start = this.#pending.length;
      at += this.#pending.append(buffer, at, to);
      this.index.observe(this.#pending.bytes, start, this.#pending.length, this.ring.endPosition + start, this);
      if (this.#pending.full) this.closeChunk(this.completeVideoLength || this.completeAudioLength);
    }
  }

  /** Moves the first `length` (more than 0) pending bytes to the ring as a chunk, and at least those that viewers already have. */
  closeChunk(length: number): void {
    const bytes = this.#pending.take(Math.max(length, this.#handedOut));
    this.#handedOut = 0;
    this.#state.observe(bytes.data, 0, bytes.data.length);
    this.ring.append(bytes, this.index.clock.elapsedMs, this.#state.snapshot());
    this.restartPendingTime();
    this.onChunk();
  }

  get #accessPid(): number {
    return this.index.program?.accessPid ?? NONE;
  }

  /** Length of the pending chunk before the incomplete picture; the whole length if the picture starts in the ring. */
  get #cutLength(): number {
    return this.index.unitPosition >= this.ring.endPosition ? this.completeVideoLength : this.#pending.length;
  }

  #stateAfter(length: number): ContinuitySnapshot {
    const state = ContinuityState.from(this.#state.snapshot());
    state.observe(this.#pending.bytes, 0, length);
    return state.snapshot();
  }

  #truncate(length: number): void {
    this.#pending.truncate(length);
    this.ring.dropPointsFrom(this.endPosition);
    this.index.cutAt(this.endPosition, this.stateAtEnd().counters);
  }
}
