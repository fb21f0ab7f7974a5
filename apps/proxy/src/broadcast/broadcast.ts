/**
 * One stream to any number of viewers. Bytes come in by `write`, are aligned to packets, indexed once and handed out in shared steps; every
 * viewer holds only a place in the ring, so none can hold up another.
 */
import { NONE, PACKET_SIZE, PAT_PID, PacketAligner, type StreamSnapshot, StreamState } from '@acexy/mpegts';
import { Alarm } from './alarm.js';
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
  #programKnown = false;
  /** Bytes are being taken in. */
  #taking = false;
  #endWanted = false;
  readonly #stepDue: Alarm;
  readonly #checkDue: Alarm;
  readonly #coldDue: Alarm;

  constructor(
    private readonly settings: BroadcastSettings,
    private readonly clock: Clock,
  ) {
    this.#index = new StreamIndex(
      () => clock.now(),
      (point) => this.#ring.addPoint(point),
    );
    this.#stepDue = new Alarm(clock, () => this.#onStepDue());
    this.#checkDue = new Alarm(clock, () => this.#onCheck());
    this.#coldDue = new Alarm(clock, () => this.#admit());
    this.#open = new OpenStep(settings.stepBytes);
    this.#ring = new Ring(settings);
    this.#context = {
      ring: this.#ring,
      settings,
      clock,
      ended: false,
      wholeUnits: () => this.#open.bytes.subarray(0, this.#cut()),
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
    this.#taking = true;
    try {
      this.#aligner.push(bytes, this.#onRun);
    } finally {
      this.#taking = false;
    }
    this.#armStep();
    if (this.ready && !this.#announced) {
      this.#announced = true;
      for (const listener of this.#readyListeners.splice(0)) listener();
    }
    if (this.#waiting.size > 0) this.#admit();
    if (this.#endWanted) this.end();
  }

  /** A viewer that comes after the end gets what the ring still holds, and is told of its end before this returns. */
  addViewer(sink: ViewerSink, hooks: ViewerHooks): Viewer {
    const viewer = new Viewer(this.#nextViewerId++, sink, hooks, this.#context);
    this.#viewers.add(viewer);
    this.#waiting.add(viewer);
    this.#letIn(viewer);
    if (this.#context.ended) viewer.finishWaiting();
    this.#armCheck();
    return viewer;
  }

  /** The viewer has left; it is never written to again. */
  removeViewer(viewer: Viewer): void {
    viewer.leave('removed');
  }

  /** The stream is over: what is held back goes out, then every viewer gets a clean end. */
  end(): void {
    if (this.#context.ended) return;
    this.#endWanted = true;
    if (this.#taking) return; // called from a viewer's hook: first what has just come in
    this.#aligner.flush(this.#onRun);
    if (this.#open.length > 0) this.#closeStep(this.#open.length);
    this.#context.ended = true;
    this.#stepDue.clear();
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
    for (let at = start; at < this.#open.length; at += PACKET_SIZE) {
      this.#index.observe(bytes, at, position + at);
      if (!this.#programKnown && this.#index.program !== null) this.#readAgain(at + PACKET_SIZE);
    }
  }

  /** The program has just become known: a keyframe may have gone by unrecognised before its tables. */
  #readAgain(until: number): void {
    this.#programKnown = true;
    for (let index = this.#ring.firstIndex; index < this.#ring.nextIndex; index += 1) {
      const step = this.#ring.step(index);
      if (step === undefined) continue;
      for (let at = 0; at < step.data.length; at += PACKET_SIZE) this.#index.observe(step.data, at, step.position + at);
    }
    for (let at = 0; at < until; at += PACKET_SIZE) this.#index.observe(this.#open.bytes, at, this.#ring.endPosition + at);
  }

  /** Bytes of the open step up to its newest unit: up to there every picture is whole. 0 where no unit begins in it. */
  #cut(): number {
    return Math.max(0, this.#index.unitPosition - this.#ring.endPosition);
  }

  #closeStep(length: number): void {
    const bytes = this.#open.take(length);
    for (let at = 0; at < length; at += PACKET_SIZE) this.#exit.observe(bytes.data, at);
    this.#ring.append(bytes, this.#index.clock.elapsedMs, this.#exit.snapshot());
    this.#openSince = this.clock.now();
    this.#stepDue.clear();
    this.#armStep();
    for (const viewer of this.#viewers) viewer.pump();
  }

  #onStepDue(): void {
    const held = this.clock.now() - this.#openSince >= HELD_STEPS * this.settings.stepMs;
    const length = this.#cut() || (held || this.#index.unitPosition === NONE ? this.#open.length : 0);
    if (length > 0) this.#closeStep(length);
    this.#armStep();
    if (this.#waiting.size > 0) this.#admit();
  }

  /** Lets waiting viewers in as soon as there is a place for them. */
  #admit(): void {
    for (const viewer of this.#waiting) this.#letIn(viewer);
  }

  #letIn(viewer: Viewer): void {
    if (!this.#waiting.has(viewer) || !this.ready) return;
    const wholeUpTo = this.#ring.endPosition + this.#cut();
    const points = this.#ring.points.filter((point) => point.position < wholeUpTo);
    const point = chooseAccessPoint(points, this.#index.clock.elapsedMs, this.settings);
    if (point !== null) {
      this.#joinAt(viewer, point.position, point);
      return;
    }
    const waitedMs = this.clock.now() - Math.max(viewer.joinedAt, this.#firstPacketAt);
    const bytes = this.#ring.bytes + this.#open.length;
    if (this.#context.ended || takesWhatThereIs({ waitedMs, bytes }, this.settings)) this.#joinAnywhere(viewer);
    else this.#coldDue.set(Math.max(1, this.settings.coldJoinMs - waitedMs));
  }

  #joinAt(viewer: Viewer, position: number, tables: Tables | null): void {
    const step = this.#ring.stepAt(position);
    this.#waiting.delete(viewer);
    viewer.join(step?.index ?? this.#ring.nextIndex, position - (step?.position ?? this.#ring.endPosition), tables);
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
    this.#checkDue.clear();
    this.#coldDue.clear();
  }

  /** Every so often: fillers for the quiet, and an end for those who take nothing. */
  #onCheck(): void {
    const silent = this.#lastByteAt !== null && this.clock.now() - this.#lastByteAt >= QUIET_AFTER_MS;
    for (const viewer of this.#viewers) {
      if (viewer.writingMs >= this.settings.maxWriteMs) viewer.leave('too-slow');
      else if (silent && this.#index.program !== null) viewer.writeFiller();
    }
    this.#armCheck();
  }

  #armStep(): void {
    if (this.#open.length > 0 && !this.#context.ended) this.#stepDue.set(this.settings.stepMs);
  }

  #armCheck(): void {
    if (this.#viewers.size > 0) this.#checkDue.set(CHECK_EVERY_MS);
  }
}

/** The last counter of `pid`; where it is not known the next packet of the table tells it (see OwnCopy). */
function counterIn(snapshot: StreamSnapshot | undefined, pid: number): number {
  return snapshot?.counters.find((entry) => entry.pid === pid)?.counter ?? 0;
}
