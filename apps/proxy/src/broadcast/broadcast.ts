/**
 * One stream to any number of viewers. Bytes come in by `write`, are aligned to packets, indexed once and handed out in shared steps; every
 * viewer holds only a place in the ring, so none can hold up another.
 */
import { NONE, PacketAligner } from '@acexy/mpegts';
import { OneShotTimer } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from './broadcast-settings.js';
import { type BroadcastSnapshot, codecsOf } from './broadcast-snapshot.js';
import type { Clock } from '@acexy/service-kit/primitives';
import { PendingViewers } from './viewers/pending-viewers.js';
import { type GuardedHost, DiscontinuityGuard } from './splice/discontinuity-guard.js';
import { type Source, SourceSwitch, type SpliceKind } from './splice/source-switch.js';
import { StreamBuffer } from './buffer/stream-buffer.js';
import { type StreamFollower, StreamTap } from './viewers/stream-tap.js';
import { Viewer, type ViewerContext } from './viewers/viewer.js';
import type { ViewerHooks, ViewerSink } from './viewers/viewer-sink.js';

export { type BroadcastSettings, DEFAULT_BROADCAST_SETTINGS } from './broadcast-settings.js';
export { SourceWatch, type SourceAdvice, type SourceFault, type SourceJudgement } from './splice/source-faults.policy.js';
export { readingOf, type BroadcastSnapshot, type ViewerSnapshot } from './broadcast-snapshot.js';
export type { CodecRefusal, SourceSwitch, SpliceKind, SwitchState } from './splice/source-switch.js';
export type { Chunk } from './buffer/ring.js';
export type { AccessPoint } from './buffer/stream-index.js';
export type { StreamFollower, StreamTap } from './viewers/stream-tap.js';
export { tablePackets } from './viewers/viewer-rewriter.js';
export type { Viewer } from './viewers/viewer.js';
export type { ViewerEndReason, ViewerHooks, ViewerSink } from './viewers/viewer-sink.js';

/** Silence after which viewers get null packets, and their distance (ms). They only keep read time-outs quiet. */
const QUIET_AFTER_MS = 1000;
const CHECK_EVERY_MS = 500;
/** The unfinished unit at the end of a step is held back for at most this many steps' time. */
const HELD_STEPS = 4;

export class Broadcast {
  #source: Source = { aligner: new PacketAligner(), splice: null };
  #switch: SourceSwitch | null = null;
  readonly #host: GuardedHost;
  readonly #guard: DiscontinuityGuard;
  readonly #buffer: StreamBuffer;
  readonly #viewers = new Set<Viewer>();
  readonly #taps = new Set<StreamTap>();
  readonly #lobby: PendingViewers;
  readonly #context: ViewerContext & { ended: boolean };
  readonly #readyListeners: (() => void)[] = [];
  readonly #onRun = (bytes: Buffer, from: number, to: number): void => this.#guard.take(bytes, from, to);
  readonly #stepDue: OneShotTimer;
  readonly #checkDue: OneShotTimer;
  readonly #splices: Record<SpliceKind, number> = { exact: 0, renumbered: 0, keyframe: 0 };
  #nextViewerId = 1;
  #bytesIn = 0;
  #lastByteAt: number | null = null;
  #announced = false;
  /** Bytes are being taken in. */
  #taking = false;
  #endWanted = false;

  constructor(
    private readonly settings: BroadcastSettings,
    private readonly clock: Clock,
  ) {
    this.#stepDue = new OneShotTimer(clock, () => this.#onStepDue());
    this.#checkDue = new OneShotTimer(clock, () => this.#onCheck());
    this.#buffer = new StreamBuffer(settings, clock, () => this.#onStep());
    this.#lobby = new PendingViewers(this.#buffer, settings, clock);
    this.#host = this.#asHost();
    this.#guard = new DiscontinuityGuard(this.#host);
    this.#context = {
      buffer: this.#buffer,
      settings,
      clock,
      ended: false,
      onGone: (viewer) => this.#forget(viewer),
    };
  }

  get viewerCount(): number {
    return this.#viewers.size;
  }

  /** Whole packets have come in. */
  get ready(): boolean {
    return this.#buffer.packets > 0;
  }

  /** Bits per second of media, over what the ring holds; null until that can be told. */
  get bitrate(): number | null {
    return this.#buffer.ring.bitrate;
  }

  /** Calls `listener` once whole packets are in; at once where they are. */
  onReady(listener: () => void): void {
    if (this.#announced) listener();
    else this.#readyListeners.push(listener);
  }

  /** Bytes straight from the engine, in any chunking, good only during the call. What still comes after `end` has nobody to go to and is dropped. */
  write(bytes: Buffer): void {
    if (this.#context.ended || bytes.length === 0) return;
    this.#bytesIn += bytes.length;
    this.#lastByteAt = this.clock.now();
    const { aligner } = this.#source;
    this.#whileTaking(() => aligner.push(bytes, this.#onRun));
  }

  /**
   * Another source is to carry the stream on: its bytes go to the switch, and from 'spliced' on to either. An earlier switch that has not come to
   * anything is given up. The old source may be written on meanwhile, but then the new one has to catch up with it; one that is to be left is better
   * written no more. Until the splice viewers get nothing but what keeps their connections from going quiet. A source without tables or keyframes
   * is searched for ever: how long is for the caller to say, with `abort`.
   */
  beginSwitch(): SourceSwitch {
    this.#switch?.abort();
    this.#switch = new SourceSwitch(this.#host);
    if (this.#context.ended) this.#switch.abort();
    this.#guard.giveWay();
    return this.#switch;
  }

  /** A viewer that comes after the end gets what the ring still holds, and is told of its end before this returns. */
  addViewer(sink: ViewerSink, hooks: ViewerHooks): Viewer {
    const viewer = new Viewer(this.#nextViewerId++, sink, hooks, this.#context);
    this.#viewers.add(viewer);
    this.#lobby.enter(viewer);
    if (this.#context.ended) this.#sayGoodbye();
    this.#armCheck();
    return viewer;
  }

  /** The viewer has left; it is never written to again. */
  removeViewer(viewer: Viewer): void {
    viewer.leave('removed');
  }

  /** Hands every step to `follower`, beginning with the last `seconds` of the ring. */
  follow(follower: StreamFollower, seconds: number): StreamTap {
    const tap = new StreamTap(this.#buffer, follower, seconds);
    this.#taps.add(tap);
    tap.pump();
    if (this.#context.ended) tap.end();
    return tap;
  }

  unfollow(tap: StreamTap): void {
    this.#taps.delete(tap);
  }

  /** The stream is over: what is held back goes out, then every viewer gets a clean end. */
  end(): void {
    if (this.#context.ended) return;
    this.#endWanted = true;
    if (this.#taking) return; // called from a viewer's hook: first what has just come in
    this.#switch?.abort();
    this.#source.aligner.flush(this.#onRun);
    this.#guard.giveWay();
    if (this.#buffer.openLength > 0) this.#buffer.close(this.#buffer.openLength);
    this.#context.ended = true;
    this.#stepDue.clear();
    this.#sayGoodbye();
    for (const tap of this.#taps) tap.end();
    this.#taps.clear();
  }

  snapshot(): BroadcastSnapshot {
    const { ring, index } = this.#buffer;
    const { aligner } = this.#source;
    return {
      bytesIn: this.#bytesIn,
      packetsIn: this.#buffer.packets,
      bitrate: ring.bitrate,
      ring: { bytes: ring.bytes, seconds: ring.spanMs / 1000 },
      losses: aligner.losses,
      counterBreaks: this.#buffer.breaks,
      bytesSkipped: aligner.bytesSkipped,
      bytesWithoutLock: aligner.bytesWithoutLock,
      locked: aligner.locked,
      lastPcr: index.clock.lastPcr === NONE ? null : index.clock.lastPcr,
      mediaMs: index.clock.elapsedMs,
      clockAt: index.clock.progressAt,
      bytesSinceClock: this.#buffer.takenEnd - index.clockPosition + this.#guard.heldBytes,
      clockLeaps: this.#guard.leaps,
      repeats: this.#guard.repeats,
      lastByteAt: this.#lastByteAt,
      splices: { ...this.#splices },
      codecs: codecsOf(index.program),
      viewers: [...this.#viewers].map(({ id, bytesSent, lagBytes, lagMs, skips }) => ({ id, bytesSent, lagBytes, lagMs, skips })),
    };
  }

  #whileTaking(work: () => void): void {
    this.#taking = true;
    try {
      work();
    } finally {
      this.#taking = false;
    }
    this.#armStep();
    if (this.ready && !this.#announced) {
      this.#announced = true;
      for (const listener of this.#readyListeners.splice(0)) listener();
    }
    this.#lobby.admit();
    if (this.#endWanted) this.end();
  }

  #asHost(): GuardedHost {
    const source = (): Source => this.#source;
    const switching = (): boolean => this.#switch?.state === 'searching';
    return {
      clock: this.clock,
      buffer: this.#buffer,
      get source() {
        return source();
      },
      get switching() {
        return switching();
      },
      feed: (bytes) => this.write(bytes),
      whileTaking: (work) => this.#whileTaking(work),
      adopt: (kind, next, by) => {
        this.#splices[kind] += 1;
        if (kind === 'keyframe') this.#buffer.ring.addBreak(this.#buffer.takenEnd);
        this.#source = next;
        this.#lastByteAt = this.clock.now();
        if (by === this.#switch) this.#guard.reset();
      },
    };
  }

  /** A step has gone into the ring: one write for every viewer that waits for it. */
  #onStep(): void {
    this.#stepDue.clear();
    this.#armStep();
    for (const viewer of this.#viewers) viewer.pump();
    for (const tap of this.#taps) tap.pump();
  }

  #onStepDue(): void {
    const { wholeLength, knowsUnits } = this.#buffer;
    // In a silence the unfinished picture stays back: if another source is to carry on at a keyframe, it would be a damaged one.
    const flows = this.#lastByteAt !== null && this.clock.now() - this.#lastByteAt <= this.settings.stepMs;
    // Nor does the silence count as time that it was held: a source that carries on for a moment only may have no more of it than a piece.
    if (!flows) this.#buffer.holdAnew();
    const heldLongEnough = !knowsUnits || this.#buffer.openMs >= HELD_STEPS * this.settings.stepMs;
    const length = wholeLength || (heldLongEnough ? this.#buffer.wholeSoundLength : 0);
    if (length > 0) this.#buffer.close(length);
    this.#armStep();
    this.#lobby.admit();
  }

  /** Every so often: fillers for the quiet, and an end for those who take nothing. */
  #onCheck(): void {
    this.#armCheck();
    // Not the last byte: what a source sends that cannot be part of the stream (yet) keeps nobody's connection alive.
    const { lastPacketAt } = this.#buffer;
    const silent = lastPacketAt !== null && this.clock.now() - lastPacketAt >= QUIET_AFTER_MS;
    for (const viewer of this.#viewers) {
      if (viewer.writingMs >= this.settings.maxWriteMs) viewer.leave('too-slow');
      else if (silent && this.#buffer.index.program !== null) viewer.writeFiller();
    }
  }

  /** Everybody is to take what is left and end; those who are behind do so at their own pace. */
  #sayGoodbye(): void {
    this.#lobby.admitAll();
    for (const viewer of this.#viewers) viewer.pump();
  }

  #forget(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    this.#lobby.leave(viewer);
    if (this.#viewers.size === 0) this.#checkDue.clear();
  }

  #armStep(): void {
    if (this.#buffer.openLength > 0 && !this.#context.ended) this.#stepDue.set(this.settings.stepMs);
  }

  #armCheck(): void {
    if (this.#viewers.size > 0) this.#checkDue.set(CHECK_EVERY_MS);
  }
}
