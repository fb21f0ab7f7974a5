/**
 * Sends one stream to any number of viewers. Bytes are aligned to packets, indexed once and sent in shared chunks. Each viewer is only a position in
 * the ring, so no viewer can delay another. This file is the public face of the folder: other folders import from here only.
 */
import { NONE } from '@acexy/mpegts';
import { type Clock, OneShotTimer } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from './broadcast-settings.js';
import { type BroadcastSnapshot, codecsOf } from './broadcast-snapshot.js';
import { longestInterval } from './buffer/entry-points.policy.js';
import { StreamBuffer } from './buffer/stream-buffer.js';
import type { SourceSwitch } from './splice/source-switch.js';
import { StreamInput } from './splice/stream-input.js';
import { JoinCopyCache } from './viewers/join-copy-cache.js';
import { PendingViewers } from './viewers/pending-viewers.js';
import { type StreamFollower, StreamTap } from './viewers/stream-tap.js';
import { Viewer, type ViewerContext } from './viewers/viewer.js';
import type { ViewerHooks, ViewerSink } from './viewers/viewer-sink.js';

export { type BroadcastSettings, DEFAULT_BROADCAST_SETTINGS } from './broadcast-settings.js';
export type { BroadcastSnapshot } from './broadcast-snapshot.js';
export { BLOCK_BYTES } from './buffer/block-pool.js';
export type { Chunk } from './buffer/ring.js';
export type { RandomAccessPoint } from './buffer/stream-index.js';
export { MAX_BYTES_WITHOUT_LOCK, SourceFaultDetector, type SourceFault } from './splice/source-faults.policy.js';
export type { CodecRefusal, SourceSwitch, SpliceKind } from './splice/source-switch.js';
export type { StreamFollower } from './viewers/stream-tap.js';
export { tablePackets } from './viewers/viewer-rewriter.js';
export type { Viewer } from './viewers/viewer.js';
export type { ViewerEndReason, ViewerHooks, ViewerSink } from './viewers/viewer-sink.js';

/** Silence after which viewers get null packets, and their interval (ms). Null packets only prevent read time-outs. */
const SILENT_AFTER_MS = 1000;
const CHECK_INTERVAL_MS = 500;
/** An incomplete unit at the end of a chunk is held back for at most this many chunk times. */
const MAX_HELD_CHUNKS = 4;

export class Broadcast {
  readonly #buffer: StreamBuffer;
  readonly #input: StreamInput;
  readonly #viewers = new Set<Viewer>();
  readonly #taps = new Set<StreamTap>();
  readonly #pendingViewers: PendingViewers;
  readonly #context: ViewerContext & { ended: boolean };
  readonly #chunkTimer: OneShotTimer;
  readonly #checkTimer: OneShotTimer;
  #nextViewerId = 1;
  #endWanted = false;

  constructor(
    private readonly settings: BroadcastSettings,
    private readonly clock: Clock,
    /** Gets exceptions of hooks, followers and timers, which end nothing; those of `write` are thrown to the source. */
    private readonly onException: (error: unknown) => void = rethrow,
  ) {
    const joinCopies = new JoinCopyCache();
    this.#chunkTimer = new OneShotTimer(clock, () => this.#report(() => this.#onChunkTime()));
    this.#checkTimer = new OneShotTimer(clock, () => this.#report(() => this.#onCheck()));
    this.#buffer = new StreamBuffer(settings, clock, () => {
      joinCopies.clear();
      this.#onChunk();
    });
    this.#input = new StreamInput(this.#buffer, clock, () => this.#afterTaking());
    this.#pendingViewers = new PendingViewers(this.#buffer, settings, clock);
    const onGone = (viewer: Viewer): void => this.#forget(viewer);
    this.#context = { buffer: this.#buffer, joinCopies, settings, clock, ended: false, onGone, onException };
  }

  /** Whole packets have arrived. */
  get ready(): boolean {
    return this.#buffer.packets > 0;
  }

  /** Bytes of the current source in which no packets were found so far; 0 when packets were found. */
  get unrecognizedBytes(): number {
    return this.#input.source.aligner.unlockedBytes;
  }

  /** Bits per second of media over the whole ring; null until it is known. */
  get bitrate(): number | null {
    return this.#buffer.ring.bitrate;
  }

  /** Milliseconds of media received so far. */
  get mediaMs(): number {
    return this.#buffer.index.clock.elapsedMs;
  }

  /** Milliseconds of media in the ring. */
  get bufferedMs(): number {
    return this.#buffer.ring.spanMs;
  }

  /** Bytes in the ring. */
  get bufferedBytes(): number {
    return this.#buffer.ring.bytes;
  }

  /** The longest time (ms) between two keyframes in the ring, the time since the newest one included; null without one. */
  get keyframeMs(): number | null {
    return longestInterval(this.#buffer.ring.points, this.mediaMs);
  }

  get ended(): boolean {
    return this.#context.ended;
  }

  /** It has ended, and every viewer has got what was left. */
  get isDrained(): boolean {
    return this.ended && this.#viewers.size === 0;
  }

  /** Viewers whose write has been unfinished for at least `ms`. */
  viewersStalledFor(ms: number): Viewer[] {
    return [...this.#viewers].filter(({ writingMs }) => writingMs >= ms);
  }

  /** Bytes of stream kept; see {@link BroadcastSettings}. May change at any time. */
  get maxBytes(): number {
    return this.#buffer.ring.maxBytes;
  }

  set maxBytes(limit: number) {
    this.#buffer.ring.maxBytes = limit;
  }

  /** Takes bytes of the engine in any chunking, which are only valid during the call. Ignored after `end`. */
  write(bytes: Buffer): void {
    this.#input.write(bytes);
  }

  /**
   * Starts a switch to another source and aborts an earlier one. Write the bytes of the new source to the switch; after 'spliced' also to the
   * broadcast. Stop writing the old source: otherwise the new one has to catch up with it. Until the splice viewers get null packets only. A source
   * without tables or keyframes is searched forever: the caller limits the time with `abort`.
   */
  beginSwitch(): SourceSwitch {
    return this.#input.beginSwitch();
  }

  /** A viewer that is added after the end gets what the ring still holds; its `onEnd` may be called before this returns. */
  addViewer(sink: ViewerSink, hooks: ViewerHooks): Viewer {
    const viewer = new Viewer(this.#nextViewerId++, sink, hooks, this.#context);
    this.#viewers.add(viewer);
    this.#pendingViewers.add(viewer);
    if (this.#context.ended) this.#endViewers();
    this.#armCheck();
    return viewer;
  }

  /** The viewer has left; nothing more is written to it. */
  removeViewer(viewer: Viewer): void {
    viewer.leave('removed');
  }

  /** Passes every chunk to `follower`, starting with the last `seconds` of the ring. */
  follow(follower: StreamFollower, seconds: number): StreamTap {
    const tap = new StreamTap(this.#buffer, follower, seconds, this.onException);
    this.#taps.add(tap);
    tap.pump();
    if (this.#context.ended) tap.end();
    return tap;
  }

  unfollow(tap: StreamTap): void {
    this.#taps.delete(tap);
  }

  /** The stream has ended: sends what is held back, then ends every viewer cleanly. */
  end(): void {
    if (this.#context.ended) return;
    this.#endWanted = true;
    if (this.#input.taking) return; // called from a viewer's hook: the packets that have just arrived go out first
    this.#report(() => {
      this.#input.end();
      if (this.#buffer.pendingLength > 0) this.#buffer.closeChunk(this.#buffer.pendingLength);
    });
    this.#context.ended = true;
    this.#chunkTimer.clear();
    this.#endViewers();
    for (const tap of this.#taps) tap.end();
    this.#taps.clear();
  }

  snapshot(): BroadcastSnapshot {
    const { ring, index } = this.#buffer;
    const { guard, source } = this.#input;
    return {
      bytesIn: this.#input.bytesIn,
      bitrate: ring.bitrate,
      ring: { bytes: ring.bytes, seconds: ring.spanMs / 1000, maxBytes: ring.maxBytes },
      losses: source.aligner.losses,
      counterBreaks: this.#buffer.counterBreaks,
      bytesWithoutLock: source.aligner.bytesWithoutLock,
      mediaMs: index.clock.elapsedMs,
      pcrAdvancedAt: index.clock.progressAt,
      bytesSincePcrAdvance: this.#buffer.endPosition - index.pcrPosition + guard.heldBytes,
      repeats: guard.repeats,
      lastByteAt: this.#input.lastByteAt,
      splices: { ...this.#input.splices },
      codecs: codecsOf(index.program),
      viewers: [...this.#viewers].map(({ id, bytesSent, lagBytes, lagMs, skips }) => ({ id, bytesSent, lagBytes, lagMs, skips })),
    };
  }

  #afterTaking(): void {
    this.#armChunk();
    this.#pendingViewers.joinReady();
    if (this.#endWanted) this.end();
  }

  /** A chunk was added to the ring: one write for every viewer that waits for it. */
  #onChunk(): void {
    this.#chunkTimer.clear();
    this.#armChunk();
    for (const viewer of this.#viewers) viewer.pump();
    for (const tap of this.#taps) tap.pump();
  }

  #onChunkTime(): void {
    const { completeVideoLength, index } = this.#buffer;
    const { lastByteAt } = this.#input;
    // During silence the incomplete picture is held back: if another source is entered at a keyframe, this picture would be damaged.
    const isFlowing = lastByteAt !== null && this.clock.now() - lastByteAt <= this.settings.chunkMs;
    // The silence does not count as hold time. Otherwise a source that returns for a moment would release an incomplete picture.
    if (!isFlowing) this.#buffer.restartPendingTime();
    const maxHeldMs = MAX_HELD_CHUNKS * this.settings.chunkMs;
    const mustRelease = index.unitPosition === NONE || this.#buffer.pendingMs >= maxHeldMs;
    const length = completeVideoLength || (mustRelease ? this.#buffer.completeAudioLength : 0);
    if (length > 0) this.#buffer.closeChunk(length);
    this.#armChunk();
    this.#pendingViewers.joinReady();
  }

  /** Sends null packets during silence and removes viewers that take nothing. */
  #onCheck(): void {
    this.#armCheck();
    // Counted from the last packet, not the last byte: bytes that do not become part of the stream keep no connection alive.
    const { lastPacketAt } = this.#buffer;
    const isSilent = lastPacketAt !== null && this.clock.now() - lastPacketAt >= SILENT_AFTER_MS;
    for (const viewer of this.#viewers) {
      if (viewer.writingMs >= this.settings.maxWriteMs) viewer.leave('too-slow');
      else if (isSilent && this.#buffer.index.program !== null) viewer.writeFiller();
    }
  }

  /** Every viewer takes what is left and ends; slow viewers do so at their own speed. */
  #endViewers(): void {
    this.#pendingViewers.joinAll();
    for (const viewer of this.#viewers) viewer.pump();
  }

  #forget(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    this.#pendingViewers.remove(viewer);
    if (this.#viewers.size === 0) this.#checkTimer.clear();
  }

  #armChunk(): void {
    if (this.#buffer.pendingLength > 0 && !this.#context.ended) this.#chunkTimer.set(this.settings.chunkMs);
  }

  #armCheck(): void {
    if (this.#viewers.size > 0) this.#checkTimer.set(CHECK_INTERVAL_MS);
  }

  #report(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.onException(error);
    }
  }
}

function rethrow(error: unknown): never {
  throw error;
}
