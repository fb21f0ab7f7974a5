/**
 * Cuts the chunks of a stream into segments: first the tables, then a picture that decodes on its own. Except for the first packets of each
 * segment the bytes are those of the ring buffer, so a segment needs no memory of its own while the ring buffer still holds it.
 */
import {
  CLOCK_90K,
  NONE,
  PACKET_SIZE,
  PAT_PID,
  WRAP_90K,
  continuityCounter,
  readDts,
  distance,
  pesOffset,
  pidOf,
  wrapped,
} from '@acexy/mpegts';
import { type RandomAccessPoint, type Chunk, tablePackets } from '../broadcast/broadcast.js';
import { MAX_TARGET, type CutDecision, decideCut, maxSegmentSeconds } from './cut.policy.js';
import { SegmentBoundary } from './segment-boundary.js';

export interface Segment {
  readonly index: number;
  /** The segment does not continue the previous one packet by packet. */
  readonly discontinuity: boolean;
  readonly seconds: number;
  readonly bytes: number;
  readonly parts: readonly Buffer[];
}

/** The point at which a segment starts. */
interface Cut extends Pick<RandomAccessPoint, 'position' | 'program' | 'patCounter' | 'pmtCounter'> {
  /** Seconds of media before it, by the PCR. */
  readonly mediaS: number;
  /** Decoding time of its first unit, in 90 kHz ticks; NONE if it has none. */
  readonly dts: number;
}

interface Break {
  readonly position: number;
  /** End of the last complete picture before it, in 90 kHz ticks; NONE if unknown. */
  readonly endDts: number;
}

interface BufferedChunk {
  readonly position: number;
  readonly data: Buffer;
}

/** Chunks kept while there is no entry point: whether a unit is one may be known a second after its chunk was written to the ring buffer. */
const CHUNKS_BEFORE_START = 8;
/** Picture timestamps that differ from the PCR by more than this are not used to measure time (s). */
const CLOCK_TOLERANCE_S = 2;

export class Segmenter {
  readonly #chunks: BufferedChunk[] = [];
  #start: Cut | null = null;
  #discontinuity = false;
  #entries: Cut[] = [];
  #breaks: Break[] = [];
  #lastChunk: Chunk | null = null;
  #index = 0;
  /** The first packets of the segment, as copies. */
  #head: Buffer[] = [];
  /** From this position on the bytes are shared with the ring buffer. */
  #sharedFrom = 0;
  #boundary: SegmentBoundary | null = null;
  /** The previous segment, while its end is still being read. */
  #closing: Omit<Segment, 'bytes'> | null = null;
  #fixed = false;

  /**
   * @param targetNow target duration in whole seconds; grows with the distance of keyframes until it is fixed
   * @param onSegment receives each segment, in order
   * @param maxBytes of a segment; a longer one, for example because the PCR stands still, is discarded
   */
  constructor(
    private targetNow: number,
    private readonly onSegment: (segment: Segment) => void,
    public maxBytes = Infinity,
  ) {}

  get target(): number {
    return this.targetNow;
  }

  /** Bytes of the segment being built. */
  get openBytes(): number {
    const [first] = this.#chunks;
    const last = this.#lastChunk;
    return first === undefined || last === null ? 0 : last.position + last.data.length - first.position;
  }

  /** From now on no segment may be longer than the target duration. */
  fixTarget(): void {
    this.#fixed = true;
  }

  /** Adds the next chunk, with the entry points and discontinuities known before its end. */
  push(chunk: Chunk, points: readonly RandomAccessPoint[], breaks: readonly number[]): void {
    const before = this.#lastChunk;
    this.#lastChunk = chunk;
    chunk.block?.pin(); // segments share its bytes for as long as players download them
    this.#chunks.push({ position: chunk.position, data: chunk.data });
    for (const position of breaks) this.#noteBreak(position, before);
    for (const point of points) this.#noteEntry(point);
    if (this.#start === null) {
      if (this.#chunks.length > CHUNKS_BEFORE_START) this.#chunks.shift();
      return;
    }
    this.#readBoundary();
    for (let decision = this.#decide(); decision.at !== 'none'; decision = this.#decide()) this.#apply(decision);
    if (this.openBytes > this.maxBytes) this.#discardOpenSegment();
  }

  /** The next segment will start at a later entry point. */
  #discardOpenSegment(): void {
    this.#finishBoundary();
    this.#start = null;
    this.#discontinuity = true;
    this.#chunks.length = 0;
    this.#entries = [];
    this.#breaks = [];
    this.#head = [];
  }

  #noteBreak(position: number, before: Chunk | null): void {
    const start = this.#start;
    if (start === null) return;
    const isWhole = before !== null && before.position + before.data.length === position;
    const clock = isWhole ? before.endState.clocks.find(({ pid }) => pid === start.program.accessPid) : undefined;
    this.#breaks.push({ position, endDts: clock === undefined ? NONE : wrapped(clock.lastDts + clock.unit, WRAP_90K) });
  }

  #noteEntry(point: RandomAccessPoint): void {
    const chunk = this.#chunks.findLast(({ position }) => position <= point.position);
    if (chunk === undefined) return;
    const cut: Cut = { ...point, mediaS: point.mediaMs / 1000, dts: readDts(chunk.data, point.position - chunk.position) };
    if (this.#start === null) this.#begin(cut, null);
    else if (cut.position > this.#start.position) this.#entries.push(cut);
  }

  #decide(): CutDecision {
    const start = this.#start;
    if (start === null || this.#lastChunk === null) return { at: 'none' };
    const next = this.#breaks.at(0);
    const breakAt = next?.position ?? Infinity;
    const entries = this.#entries.filter(({ position }) => position < breakAt);
    const broken = this.#entries.find(({ position }) => position >= breakAt);
    const mediaS = this.#lastChunk.mediaMs / 1000;
    const end = next === undefined ? mediaS - start.mediaS : endAtBreak(start, next, broken?.mediaS ?? start.mediaS);
    const progress = { entries: entries.map((entry) => elapsed(start, entry)), end, breaksAtEnd: broken !== undefined };
    return decideCut(progress, { target: this.targetNow, fixed: this.#fixed });
  }

  #apply(decision: Exclude<CutDecision, { at: 'none' }>): void {
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
        if (entry === undefined) throw new TypeError('no entry point after the discontinuity');
        return this.#cutAt(entry, endAtBreak(start, next, entry.mediaS), true);
      }
      default: {
        const unknown: never = decision;
        throw new TypeError(`unknown cut: ${String(unknown)}`);
      }
    }
  }

  #cutAt(cut: Cut, measured: number, discontinuity = false): void {
    // A segment without usable timestamps gets a minimal duration: zero is not allowed.
    const seconds = Math.max(0.001, Math.min(measured, maxSegmentSeconds(this.#fixed ? this.targetNow : MAX_TARGET)));
    this.targetNow = Math.max(this.targetNow, Math.round(seconds));
    this.#finishBoundary();
    const parts = [...this.#head, ...this.#sharedUpTo(cut.position)];
    this.#closing = { index: this.#index++, discontinuity: this.#discontinuity, seconds, parts };
    if (discontinuity) this.#breaks = this.#breaks.filter(({ position }) => position > cut.position);
    this.#discontinuity = discontinuity;
    this.#begin(cut, discontinuity ? null : new SegmentBoundary(cut.program));
  }

  #begin(cut: Cut, boundary: SegmentBoundary | null): void {
    this.#start = cut;
    this.#entries = this.#entries.filter(({ position }) => position > cut.position);
    while (this.#chunks.length > 1 && this.#chunks[1].position <= cut.position) this.#chunks.shift();
    this.#head = [tablePackets(cut)];
    this.#sharedFrom = cut.position;
    this.#boundary = boundary;
    if (boundary === null) this.#close([]);
    else this.#readBoundary();
  }

  #readBoundary(): void {
    const boundary = this.#boundary;
    if (boundary === null) return;
    for (const chunk of this.#chunks) {
      const from = this.#sharedFrom - chunk.position;
      if (from < 0 || from >= chunk.data.length) continue;
      this.#sharedFrom = chunk.position + boundary.push(chunk.data, from);
    }
    if (boundary.done) this.#finishBoundary();
  }

  #finishBoundary(): void {
    const boundary = this.#boundary;
    if (boundary === null) return;
    this.#boundary = null;
    this.#head.push(boundary.head);
    this.#close([boundary.tail]);
  }

  #close(tail: Buffer[]): void {
    const closing = this.#closing;
    if (closing === null) return;
    this.#closing = null;
    const parts = [...closing.parts, ...tail].filter(({ length }) => length > 0);
    this.onSegment({ ...closing, parts, bytes: parts.reduce((sum, { length }) => sum + length, 0) });
  }

  /** Bytes shared with the ring buffer, up to `position`. */
  #sharedUpTo(position: number): Buffer[] {
    return this.#chunks.map((chunk) =>
      chunk.data.subarray(Math.max(0, this.#sharedFrom - chunk.position), Math.max(0, position - chunk.position)),
    );
  }

  /** The last picture within the maximum duration; if there is none, the start of the newest chunk. */
  #lastUnitInTime(start: Cut): Cut {
    const { program } = start;
    let { patCounter, pmtCounter } = start;
    const newest = this.#chunks[this.#chunks.length - 1];
    let best: Cut | null = null;
    const limit = maxSegmentSeconds(this.#fixed ? this.targetNow : MAX_TARGET);
    for (const { position, data } of this.#chunks) {
      for (let at = Math.max(0, start.position + PACKET_SIZE - position); at < data.length; at += PACKET_SIZE) {
        const pid = pidOf(data, at);
        if (pid === PAT_PID) patCounter = continuityCounter(data, at);
        else if (pid === program.pat.pmtPid) pmtCounter = continuityCounter(data, at);
        if (pid !== program.accessPid || pesOffset(data, at) === NONE) continue;
        const dts = readDts(data, at);
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

/** Duration of a segment that ends at a discontinuity; `mediaS`: media time at which the stream continues after it. */
function endAtBreak(start: Cut, { endDts }: Break, mediaS: number): number {
  const byMedia = mediaS - start.mediaS;
  if (start.dts === NONE || endDts === NONE) return Math.max(0, byMedia);
  const byPictures = distance(start.dts, endDts, WRAP_90K) / CLOCK_90K;
  return byPictures > 0 && byPictures <= maxSegmentSeconds(MAX_TARGET) ? byPictures : Math.max(0, byMedia);
}

/** Seconds between two points: by picture timestamps if they are plausible, else by the PCR. */
function elapsed(from: Cut, to: Cut): number {
  const byMedia = to.mediaS - from.mediaS;
  if (from.dts === NONE || to.dts === NONE) return byMedia;
  const byPictures = distance(from.dts, to.dts, WRAP_90K) / CLOCK_90K;
  return Math.abs(byPictures - byMedia) <= CLOCK_TOLERANCE_S ? byPictures : byMedia;
}
