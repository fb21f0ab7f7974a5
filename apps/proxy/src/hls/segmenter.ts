/**
 * Cuts the steps of a stream into segments: tables first, then the picture that can be decoded alone. The bytes are the ring's own, but for the
 * first moments of each segment, so that a segment costs no memory while the ring still has it.
 */
import {
  CLOCK_90K,
  NONE,
  PACKET_SIZE,
  PAT_PID,
  WRAP_90K,
  continuityCounter,
  decodingTimeOf,
  distance,
  pesOffset,
  pidOf,
  wrapped,
} from '@acexy/mpegts';
import { type AccessPoint, type Chunk, tablePackets } from '../broadcast/broadcast.js';
import { MAX_TARGET, type CutDecision, decideCut, longest } from './cut.policy.js';
import { SegmentBoundary } from './segment-boundary.js';

export interface Segment {
  /** Counts the segments. */
  readonly index: number;
  /** The stream does not go on here with its very next packet, but with another piece. */
  readonly discontinuity: boolean;
  readonly seconds: number;
  readonly bytes: number;
  readonly parts: readonly Buffer[];
}

/** The place at which a segment begins. */
interface Cut extends Pick<AccessPoint, 'position' | 'program' | 'patCounter' | 'pmtCounter'> {
  /** Seconds of media before it, by the stream's clock. */
  readonly mediaS: number;
  /** Of its first unit, in ticks of 90 kHz; NONE where it has none. */
  readonly dts: number;
}

interface Break {
  readonly position: number;
  /** Where the last whole picture before it ends, in ticks of 90 kHz; NONE where that is not known. */
  readonly endDts: number;
}

interface Piece {
  readonly position: number;
  readonly data: Buffer;
}

/** Steps kept while there is no entry point: what a unit is may be known only after its step has gone over into the ring. */
const STEPS_BEFORE_START = 4;
/** A clock of pictures that differs from the stream's by more than this is no measure of time (s). */
const CLOCK_TOLERANCE_S = 2;

export class Segmenter {
  readonly #pieces: Piece[] = [];
  #start: Cut | null = null;
  #discontinuity = false;
  #entries: Cut[] = [];
  #breaks: Break[] = [];
  #lastStep: Chunk | null = null;
  #index = 0;
  /** What the segment begins with, as copies. */
  #opening: Buffer[] = [];
  /** From here on the bytes are the ring's own. */
  #sharedFrom = 0;
  #seam: SegmentBoundary | null = null;
  /** The segment before, as long as its end is being read. */
  #closing: Omit<Segment, 'bytes'> | null = null;
  #fixed = false;

  /**
   * @param targetNow in whole seconds; it grows with the distance of keyframes until it is fixed
   * @param onSegment gets each segment, in order
   * @param maxBytes of a segment: one that has more without an end, because the stream's clock stands still, is given up
   */
  constructor(
    private targetNow: number,
    private readonly onSegment: (segment: Segment) => void,
    private readonly maxBytes = Infinity,
  ) {}

  get target(): number {
    return this.targetNow;
  }

  /** Bytes of stream that are no segment yet. */
  get openBytes(): number {
    const [first] = this.#pieces;
    const last = this.#lastStep;
    return first === undefined || last === null ? 0 : last.position + last.data.length - first.position;
  }

  /** From now on no segment may be longer than the target. */
  fixTarget(): void {
    this.#fixed = true;
  }

  /** The next step, with the entry points and breaks that are known before its end. */
  push(step: Chunk, points: readonly AccessPoint[], breaks: readonly number[]): void {
    const before = this.#lastStep;
    this.#lastStep = step;
    this.#pieces.push({ position: step.position, data: step.data });
    for (const position of breaks) this.#noteBreak(position, before);
    for (const point of points) this.#noteEntry(point);
    if (this.#start === null) {
      if (this.#pieces.length > STEPS_BEFORE_START) this.#pieces.shift();
      return;
    }
    this.#readSeam();
    for (let decision = this.#decide(); decision.at !== 'none'; decision = this.#decide()) this.#carryOut(decision);
    if (this.openBytes > this.maxBytes) this.#giveUpOpen();
  }

  /** The next segment begins at an entry point to come. */
  #giveUpOpen(): void {
    this.#finishSeam();
    this.#start = null;
    this.#discontinuity = true;
    this.#pieces.length = 0;
    this.#entries = [];
    this.#breaks = [];
    this.#opening = [];
  }

  #noteBreak(position: number, before: Chunk | null): void {
    const start = this.#start;
    if (start === null) return;
    const isWhole = before !== null && before.position + before.data.length === position;
    const clock = isWhole ? before.exit.clocks.find(({ pid }) => pid === start.program.accessPid) : undefined;
    this.#breaks.push({ position, endDts: clock === undefined ? NONE : wrapped(clock.lastDts + clock.unit, WRAP_90K) });
  }

  #noteEntry(point: AccessPoint): void {
    const piece = this.#pieces.findLast(({ position }) => position <= point.position);
    if (piece === undefined) return;
    const cut: Cut = { ...point, mediaS: point.mediaMs / 1000, dts: decodingTimeOf(piece.data, point.position - piece.position) };
    if (this.#start === null) this.#begin(cut, null);
    else if (cut.position > this.#start.position) this.#entries.push(cut);
  }

  #decide(): CutDecision {
    const start = this.#start;
    if (start === null || this.#lastStep === null) return { at: 'none' };
    const next = this.#breaks.at(0);
    const breakAt = next?.position ?? Infinity;
    const entries = this.#entries.filter(({ position }) => position < breakAt);
    const broken = this.#entries.find(({ position }) => position >= breakAt);
    const mediaS = this.#lastStep.mediaMs / 1000;
    const end = next === undefined ? mediaS - start.mediaS : endAtBreak(start, next, broken?.mediaS ?? start.mediaS);
    const so = { entries: entries.map((entry) => elapsed(start, entry)), end, breaksAtEnd: broken !== undefined };
    return decideCut(so, { target: this.targetNow, fixed: this.#fixed });
  }

  #carryOut(decision: Exclude<CutDecision, { at: 'none' }>): void {
    const start = this.#start;
    if (start === null) return;
    switch (decision.at) {
      case 'entry':
        return this.#cutAt(this.#entries[decision.index], elapsed(start, this.#entries[decision.index]));
      case 'unit': {
        const cut = this.#lastUnitInTime(start);
        return this.#cutAt(cut, elapsed(start, cut));
      }
      case 'break': {
        const [next] = this.#breaks;
        const entry = this.#entries.find(({ position }) => position >= next.position);
        if (entry === undefined) throw new TypeError('a break is cut at the entry point behind it');
        return this.#cutAt(entry, endAtBreak(start, next, entry.mediaS), true);
      }
      default: {
        const unknown: never = decision;
        throw new TypeError(`no such cut: ${String(unknown)}`);
      }
    }
  }

  #cutAt(cut: Cut, measured: number, discontinuity = false): void {
    // Segments of no length there are none: what has no sane time is a little of it.
    const seconds = Math.max(0.001, Math.min(measured, longest(this.#fixed ? this.targetNow : MAX_TARGET)));
    this.targetNow = Math.max(this.targetNow, Math.round(seconds));
    this.#finishSeam();
    const parts = [...this.#opening, ...this.#sharedUpTo(cut.position)];
    this.#closing = { index: this.#index++, discontinuity: this.#discontinuity, seconds, parts };
    if (discontinuity) this.#breaks = this.#breaks.filter(({ position }) => position > cut.position);
    this.#discontinuity = discontinuity;
    this.#begin(cut, discontinuity ? null : new SegmentBoundary(cut.program));
  }

  #begin(cut: Cut, seam: SegmentBoundary | null): void {
    this.#start = cut;
    this.#entries = this.#entries.filter(({ position }) => position > cut.position);
    while (this.#pieces.length > 1 && this.#pieces[1].position <= cut.position) this.#pieces.shift();
    this.#opening = [tablePackets(cut)];
    this.#sharedFrom = cut.position;
    this.#seam = seam;
    if (seam === null) this.#close([]);
    else this.#readSeam();
  }

  #readSeam(): void {
    const seam = this.#seam;
    if (seam === null) return;
    for (const piece of this.#pieces) {
      const from = this.#sharedFrom - piece.position;
      if (from < 0 || from >= piece.data.length) continue;
      this.#sharedFrom = piece.position + seam.take(piece.data, from);
    }
    if (seam.done) this.#finishSeam();
  }

  #finishSeam(): void {
    const seam = this.#seam;
    if (seam === null) return;
    this.#seam = null;
    this.#opening.push(seam.head);
    this.#close([seam.tail]);
  }

  #close(tail: Buffer[]): void {
    const closing = this.#closing;
    if (closing === null) return;
    this.#closing = null;
    const parts = [...closing.parts, ...tail].filter(({ length }) => length > 0);
    this.onSegment({ ...closing, parts, bytes: parts.reduce((sum, { length }) => sum + length, 0) });
  }

  /** The stream's own bytes up to `position`. */
  #sharedUpTo(position: number): Buffer[] {
    return this.#pieces.map((piece) =>
      piece.data.subarray(Math.max(0, this.#sharedFrom - piece.position), Math.max(0, position - piece.position)),
    );
  }

  /** The last picture that makes the segment no longer than it may be; where there is none, the last of all; else where the newest step begins. */
  #lastUnitInTime(start: Cut): Cut {
    const { program } = start;
    let { patCounter, pmtCounter } = start;
    const newest = this.#pieces[this.#pieces.length - 1];
    let best: Cut | null = null;
    const limit = longest(this.#fixed ? this.targetNow : MAX_TARGET);
    for (const { position, data } of this.#pieces) {
      for (let at = Math.max(0, start.position + PACKET_SIZE - position); at < data.length; at += PACKET_SIZE) {
        const pid = pidOf(data, at);
        if (pid === PAT_PID) patCounter = continuityCounter(data, at);
        else if (pid === program.pat.pmtPid) pmtCounter = continuityCounter(data, at);
        if (pid !== program.accessPid || pesOffset(data, at) === NONE) continue;
        const dts = decodingTimeOf(data, at);
        if (dts === NONE) continue;
        const mediaS = start.mediaS + distance(start.dts, dts, WRAP_90K) / CLOCK_90K;
        const inTime = mediaS > start.mediaS && mediaS - start.mediaS <= limit;
        if (inTime) best = { position: position + at, program, patCounter, pmtCounter, dts, mediaS };
      }
    }
    return (
      best ?? {
        position: Math.max(newest.position, start.position + PACKET_SIZE),
        program,
        patCounter,
        pmtCounter,
        dts: NONE,
        mediaS: start.mediaS + limit,
      }
    );
  }
}

/** How long the segment is that ends with the stream at a break; `mediaS` where the other piece begins. */
function endAtBreak(start: Cut, { endDts }: Break, mediaS: number): number {
  const byMedia = mediaS - start.mediaS;
  if (start.dts === NONE || endDts === NONE) return Math.max(0, byMedia);
  const byPictures = distance(start.dts, endDts, WRAP_90K) / CLOCK_90K;
  return byPictures > 0 && byPictures <= longest(MAX_TARGET) ? byPictures : Math.max(0, byMedia);
}

/** From one place to a later one: by the times of the pictures, where they make sense, else by the stream's clock. */
function elapsed(from: Cut, to: Cut): number {
  const byMedia = to.mediaS - from.mediaS;
  if (from.dts === NONE || to.dts === NONE) return byMedia;
  const byPictures = distance(from.dts, to.dts, WRAP_90K) / CLOCK_90K;
  return Math.abs(byPictures - byMedia) <= CLOCK_TOLERANCE_S ? byPictures : byMedia;
}
