/**
 * One stream to any number of viewers. Bytes come in by `write`, are aligned to packets, indexed once and handed out in shared steps; every
 * viewer holds only a place in the ring, so none can hold up another.
 */
import { NONE, PACKET_SIZE, PAT_PID, PacketAligner, type StreamSnapshot, StreamState } from '@acexy/mpegts';
import type { BroadcastSettings } from './broadcast-settings.js';
import { type BroadcastSnapshot, codecsOf } from './broadcast-snapshot.js';
import type { Clock } from './clock.js';
import { chooseAccessPoint, takesWhatThereIs } from './join.policy.js';
import { OpenStep } from './open-step.js';
import type { Tables } from './own-copy.js';
import { Ring } from './ring.js';
import { StreamIndex } from './stream-index.js';
import { Viewer, type ViewerContext } from './viewer.js';
import type { ViewerHooks, ViewerSink } from './viewer-sink.js';

export { type BroadcastSettings, DEFAULT_BROADCAST_SETTINGS } from './broadcast-settings.js';
export type { BroadcastSnapshot, ViewerSnapshot } from './broadcast-snapshot.js';
export type { Clock } from './clock.js';
export type { Viewer } from './viewer.js';
export type { ViewerEndReason, ViewerHooks, ViewerSink } from './viewer-sink.js';

/** Silence after which viewers get null packets, and their distance (ms). They only keep read time-outs quiet. */
const QUIET_AFTER_MS = 1000;
const CHECK_EVERY_MS = 500;
/** The unfinished unit at the end of a step is held back for at most this many steps' time. */
const HELD_STEPS = 4;

export class Broadcast {
  readonly #aligner = new PacketAligner();
  readonly #index: StreamIndex;
  readonly #open: OpenStep;
  readonly #ring: Ring;
  readonly #exit = new StreamState();
  readonly #viewers = new Set<Viewer>();
  readonly #context: ViewerContext & { ended: boolean };
  readonly #readyListeners: (() => void)[] = [];
  readonly #onRun = (buffer: Buffer, from: number, to: number): void => this.#takeRun(buffer, from, to);
  /** Those of them that have no place to join at yet. */
  readonly #waiting = new Set<Viewer>();
  #nextViewerId = 1;
  #bytesIn = 0;
  #packetsIn = 0;
  #firstPacketAt = 0;
  #lastByteAt: number | null = null;
  #openSince = 0;
  #announced = false;
  #stepTimer: unknown = null;
  #checkTimer: unknown = null;
  #coldTimer: unknown = null;

  constructor(
    private readonly settings: BroadcastSettings,
    private readonly clock: Clock,
  ) {
    this.#index = new StreamIndex(
      () => clock.now(),
      (point) => this.#ring.addPoint(point),
    );
    this.#open = new OpenStep(settings.stepBytes);
    this.#ring = new Ring(settings);
    this.#context = {
      ring: this.#ring,
      settings,
      clock,
      ended: false,
      liveMs: () => this.#index.clock.elapsedMs,
      onGone: (viewer) => this.#forget(viewer),
    };
  }

  get viewerCount(): number {
    return this.#viewers.size;
  }

  /** Whole packets have come in. */
  get ready(): boolean {
    return this.#packetsIn > 0;
  }

  /** Calls `listener` once whole packets are in; at once where they are. */
  onReady(listener: () => void): void {
    if (this.#announced) listener();
    else this.#readyListeners.push(listener);
  }

  /** Bytes straight from the engine, in any chunking. What still comes after `end` has nobody to go to and is dropped. */
  write(bytes: Buffer): void {
    if (this.#context.ended || bytes.length === 0) return;
    this.#bytesIn += bytes.length;
    this.#lastByteAt = this.clock.now();
    this.#aligner.push(bytes, this.#onRun);
    this.#armStepTimer();
    if (this.ready && !this.#announced) {
      this.#announced = true;
      for (const listener of this.#readyListeners.splice(0)) listener();
    }
    if (this.#waiting.size > 0) this.#admit();
  }

  addViewer(sink: ViewerSink, hooks: ViewerHooks): Viewer {
    const viewer = new Viewer(this.#nextViewerId++, sink, hooks, this.#context);
    this.#viewers.add(viewer);
    this.#waiting.add(viewer);
    this.#closeWholeUnits(); // a joining viewer does not wait for the step
    this.#letIn(viewer);
    if (this.#context.ended) viewer.finishWaiting();
    this.#armCheckTimer();
    return viewer;
  }

  /** The viewer has left; it is never written to again. */
  removeViewer(viewer: Viewer): void {
    viewer.leave('removed');
  }

  /** The stream is over: what is held back goes out, then every viewer gets a clean end. */
  end(): void {
    if (this.#context.ended) return;
    this.#aligner.flush(this.#onRun);
    if (this.#open.length > 0) this.#closeStep(this.#open.length);
    this.#context.ended = true;
    this.#clear('step');
    for (const viewer of this.#viewers) {
      this.#letIn(viewer);
      viewer.finishWaiting();
      viewer.pump();
    }
  }

  snapshot(): BroadcastSnapshot {
    const seconds = this.#ring.spanMs / 1000;
    return {
      bytesIn: this.#bytesIn,
      packetsIn: this.#packetsIn,
      bitrate: this.#ring.bitrate,
      ring: { bytes: this.#ring.bytes, seconds },
      losses: this.#aligner.losses,
      bytesSkipped: this.#aligner.bytesSkipped,
      bytesWithoutLock: this.#aligner.bytesWithoutLock,
      locked: this.#aligner.locked,
      lastPcr: this.#index.clock.lastPcr === NONE ? null : this.#index.clock.lastPcr,
      lastByteAt: this.#lastByteAt,
      codecs: codecsOf(this.#index.program),
      viewers: [...this.#viewers].map(({ id, bytesSent, lagBytes, lagMs, skips }) => ({ id, bytesSent, lagBytes, lagMs, skips })),
    };
  }

  #takeRun(buffer: Buffer, from: number, to: number): void {
    if (this.#packetsIn === 0) this.#firstPacketAt = this.clock.now();
    this.#packetsIn += (to - from) / PACKET_SIZE;
    let at = from;
    while (at < to) {
      if (this.#open.length === 0) this.#openSince = this.clock.now();
      const start = this.#open.length;
      at += this.#open.append(buffer, at, to);
      this.#indexFrom(start);
      if (this.#open.full) this.#closeStep(this.#cut() || this.#open.length);
    }
  }

  /** Reads the new packets in the open step. */
  #indexFrom(start: number): void {
    const position = this.#ring.endPosition;
    const bytes = this.#open.bytes;
    for (let at = start; at < this.#open.length; at += PACKET_SIZE) this.#index.observe(bytes, at, position + at);
  }

  /** Bytes of the open step up to its newest unit: up to there every picture is whole. 0 where no unit begins in it. */
  #cut(): number {
    return Math.max(0, this.#index.unitPosition - this.#ring.endPosition);
  }

  #closeWholeUnits(): void {
    const cut = this.#cut();
    if (cut > 0) this.#closeStep(cut);
  }

  #closeStep(length: number): void {
    const bytes = this.#open.take(length);
    for (let at = 0; at < length; at += PACKET_SIZE) this.#exit.observe(bytes.data, at);
    this.#ring.append(bytes, this.#index.clock.elapsedMs, this.#exit.snapshot());
    this.#openSince = this.clock.now();
    this.#clear('step');
    this.#armStepTimer();
    for (const viewer of this.#viewers) viewer.pump();
  }

  #onStepDue(): void {
    this.#stepTimer = null;
    const held = this.clock.now() - this.#openSince >= HELD_STEPS * this.settings.stepMs;
    const length = this.#cut() || (held || this.#index.unitPosition === NONE ? this.#open.length : 0);
    if (length > 0) this.#closeStep(length);
    this.#armStepTimer();
    if (this.#waiting.size > 0) this.#admit();
  }

  /** Lets waiting viewers in as soon as there is a place for them. */
  #admit(): void {
    const cut = this.#ring.endPosition + this.#cut();
    if (this.#ring.points.some((point) => point.position < cut)) this.#closeWholeUnits();
    for (const viewer of this.#waiting) this.#letIn(viewer);
  }

  #letIn(viewer: Viewer): void {
    if (!this.#waiting.has(viewer) || !this.ready) return;
    const points = this.#ring.points.filter((point) => point.position < this.#ring.endPosition);
    const point = chooseAccessPoint(points, this.#index.clock.elapsedMs, this.settings);
    if (point !== null) {
      this.#joinAt(viewer, point.position, point);
      return;
    }
    const waitedMs = this.clock.now() - Math.max(viewer.joinedAt, this.#firstPacketAt);
    const bytes = this.#ring.bytes + this.#open.length;
    if (this.#context.ended || takesWhatThereIs({ waitedMs, bytes }, this.settings)) this.#joinAnywhere(viewer);
    else this.#armColdTimer(this.settings.coldJoinMs - waitedMs);
  }

  #joinAt(viewer: Viewer, position: number, tables: Tables | null): void {
    const step = this.#ring.stepAt(position);
    if (step === undefined) throw new Error(`the ring has no byte ${position}`);
    this.#waiting.delete(viewer);
    viewer.join(step.index, position - step.position, tables);
  }

  /** No entry point in time: the viewer gets what there is, with the tables if they are known. */
  #joinAnywhere(viewer: Viewer): void {
    if (this.#open.length > 0 && this.#ring.bytes === 0) this.#closeStep(this.#open.length);
    const step = this.#ring.stepBefore(this.#index.clock.elapsedMs - this.settings.joinSeconds * 1000);
    const program = this.#index.program;
    if (step === undefined) return;
    const before = this.#ring.step(step.index - 1)?.exit;
    this.#joinAt(
      viewer,
      step.position,
      program === null ? null : { program, patCounter: counterIn(before, PAT_PID), pmtCounter: counterIn(before, program.pat.pmtPid) },
    );
  }

  #forget(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    this.#waiting.delete(viewer);
    if (this.#viewers.size > 0) return;
    this.#clear('check');
    this.#clear('cold');
  }

  /** Every so often: fillers for the quiet, and an end for those who take nothing. */
  #onCheck(): void {
    this.#checkTimer = null;
    const silent = this.#lastByteAt !== null && this.clock.now() - this.#lastByteAt >= QUIET_AFTER_MS;
    for (const viewer of this.#viewers) {
      if (viewer.writingMs >= this.settings.maxWriteMs) viewer.leave('too-slow');
      else if (silent && this.#index.program !== null) viewer.writeFiller();
    }
    this.#armCheckTimer();
  }

  #armStepTimer(): void {
    if (this.#stepTimer !== null || this.#open.length === 0 || this.#context.ended) return;
    this.#stepTimer = this.clock.setTimeout(() => this.#onStepDue(), this.settings.stepMs);
  }

  #armCheckTimer(): void {
    if (this.#checkTimer !== null || this.#viewers.size === 0) return;
    this.#checkTimer = this.clock.setTimeout(() => this.#onCheck(), CHECK_EVERY_MS);
  }

  #armColdTimer(ms: number): void {
    if (this.#coldTimer !== null) return;
    this.#coldTimer = this.clock.setTimeout(
      () => {
        this.#coldTimer = null;
        this.#admit();
      },
      Math.max(1, ms),
    );
  }

  #clear(timer: 'step' | 'check' | 'cold'): void {
    switch (timer) {
      case 'step':
        if (this.#stepTimer !== null) this.clock.clearTimeout(this.#stepTimer);
        this.#stepTimer = null;
        return;
      case 'check':
        if (this.#checkTimer !== null) this.clock.clearTimeout(this.#checkTimer);
        this.#checkTimer = null;
        return;
      case 'cold':
        if (this.#coldTimer !== null) this.clock.clearTimeout(this.#coldTimer);
        this.#coldTimer = null;
        return;
      default: {
        const unknown: never = timer;
        throw new TypeError(`no such timer: ${String(unknown)}`);
      }
    }
  }
}

/** The last counter of `pid`; where it is not known the next packet of the table tells it (see OwnCopy). */
function counterIn(snapshot: StreamSnapshot | undefined, pid: number): number {
  return snapshot?.counters.find((entry) => entry.pid === pid)?.counter ?? 0;
}
