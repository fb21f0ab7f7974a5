/**
 * Another source for a stream that goes on. It is searched for the place that the stream has reached; where it has that, viewers get the very next
 * packet. Where it has not, it is entered at a keyframe, on the stream's own clock. Until then nothing of it is sent.
 */
import { NONE, NO_CHANGE, PACKET_SIZE, PacketAligner, WRAP_27M, distance, mapProgram, spliceOffset, wrapped } from '@acexy/mpegts';
import { CandidateSource } from './candidate-source.js';
import type { Clock } from '@acexy/service-kit/primitives';
import { ContinuationSearch, type SearchVerdict } from './continuation-search.js';
import { type SameClock, chooseEntry } from './entry.policy.js';
import { pictureHeads, showSamePictures } from '../../../../../libs/mpegts/src/same-pictures.js';
import { SplicedSource } from './spliced-source.js';
import type { StreamBuffer } from '../buffer/stream-buffer.js';

/** 'searching': nothing sent yet. 'spliced': the stream goes on with it. 'refused': it can never continue this stream. 'aborted': given up. */
export type SwitchState = 'searching' | 'spliced' | 'refused' | 'aborted';

/** How it went on. 'exact': byte for byte. 'renumbered': nothing lost or repeated, counters changed. 'keyframe': entered at a keyframe. */
export type SpliceKind = 'exact' | 'renumbered' | 'keyframe';

/** What viewers were promised (an ISO/IEC 13818-1 stream type) and this source cannot give. */
export interface CodecRefusal {
  readonly code: 'codec_changed';
  readonly promised: number;
  readonly offered: readonly number[];
}

/** What the stream is made from at present. */
export interface Source {
  readonly aligner: PacketAligner;
  /** Null: packets are taken as they come. */
  readonly splice: SplicedSource | null;
}

/** The stream that is to go on. */
export interface SwitchHost {
  readonly clock: Clock;
  readonly buffer: StreamBuffer;
  readonly source: Source;
  /** Takes bytes of the source that feeds the stream. */
  feed(bytes: Buffer): void;
  /** Runs `work`, which may add to the stream, as the taking in of bytes. */
  whileTaking(work: () => void): void;
  /** From now on the stream is made from `source`. */
  adopt(kind: SpliceKind, source: Source, by: SourceSwitch): void;
}

/** Pictures of the new source (0.4 s at 25/s) that are looked at to tell whether they are those of the stream. */
const PICTURES_TO_JUDGE_BY = 10;
/** A longer step of the clock has to be announced (27 MHz: 0.5 s). */
const MAX_CLOCK_STEP = 13_500_000;

export class SourceSwitch {
  readonly #candidate: CandidateSource;
  readonly #search: ContinuationSearch;
  readonly #startedAt: number;
  #state: SwitchState = 'searching';
  #verdict: SearchVerdict = 'undecided';
  #kind: SpliceKind | null = null;
  #refusal: CodecRefusal | null = null;
  #samePictures: boolean | null = null;
  #bytesIn = 0;
  #searchMs = 0;
  readonly #onRun = (buffer: Buffer, from: number, to: number): void => this.take(buffer, from, to);

  /** `aligner`: finds the packets of the new source. */
  constructor(
    private readonly host: SwitchHost,
    private readonly aligner = new PacketAligner(),
  ) {
    const { clock, buffer, source } = host;
    this.#startedAt = clock.now();
    this.#candidate = new CandidateSource(() => clock.now());
    const taken = {
      anchors: buffer.index.anchors,
      get startPosition() {
        return buffer.startPosition;
      },
      get takenEnd() {
        return buffer.takenEnd;
      },
      bytesFrom: (position: number) => buffer.bytesFrom(position),
    };
    this.#search = new ContinuationSearch(taken, source.splice, clock);
  }

  get state(): SwitchState {
    return this.#state;
  }

  /** What the search has found; 'undecided' while it goes on. */
  get verdict(): SearchVerdict {
    return this.#verdict;
  }

  /** How the stream went on; null before. */
  get kind(): SpliceKind | null {
    return this.#kind;
  }

  /** Why it never can; null otherwise. */
  get refusal(): CodecRefusal | null {
    return this.#refusal;
  }

  /** Clock references in a row that the stream has had before. */
  get repeats(): number {
    return this.#search.repeats;
  }

  /** Bytes of this source taken in. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Milliseconds from the beginning of the switch to its outcome, or to now. */
  get searchMs(): number {
    return this.#state === 'searching' ? this.host.clock.now() - this.#startedAt : this.#searchMs;
  }

  /** Bytes of the new source, in any chunking. Once it is spliced they are the stream's, as if given to the broadcast itself. */
  write(bytes: Buffer): void {
    switch (this.#state) {
      case 'searching':
        this.#bytesIn += bytes.length;
        this.host.whileTaking(() => this.aligner.push(bytes, this.#onRun));
        return;
      case 'spliced':
        this.#bytesIn += bytes.length;
        this.host.feed(bytes);
        return;
      case 'refused':
      case 'aborted':
        return;
      default: {
        const unknown: never = this.#state;
        throw new TypeError(`no such state: ${String(unknown)}`);
      }
    }
  }

  /** Gives the source up, if it is not the stream's already. */
  abort(): void {
    if (this.#state === 'searching') this.#settle('aborted');
  }

  #settle(state: SwitchState): void {
    this.#searchMs = this.host.clock.now() - this.#startedAt;
    this.#state = state;
    this.#candidate.release();
  }

  /** Whole packets of the new source, good only during the call. */
  take(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to && this.#state === 'searching' && this.#verdict === 'undecided') {
      this.#candidate.observe(buffer, at, at + PACKET_SIZE);
      if (this.#candidate.program !== null) this.#search.followClockOn(this.#candidate.program.pmt.pcrPid);
      this.#verdict = this.host.buffer.packets === 0 ? 'exact' : this.#search.read(buffer, at);
      if (this.host.buffer.packets > 0) at += PACKET_SIZE; // the first packets of all are the stream's
      if (this.#verdict === 'exact' || this.#verdict === 'renumbered') this.#continueExactly(this.#verdict);
    }
    if (this.#state === 'searching' && at < to) this.#candidate.observe(buffer, at, to);
    if (this.#state === 'searching' && this.#verdict !== 'undecided') this.#enter();
    else if (this.#state === 'spliced' && at < to) this.#passOn(buffer, at, to);
  }

  #continueExactly(kind: 'exact' | 'renumbered'): void {
    const { buffer, source } = this.host;
    const outgoing = outgoingOf(buffer);
    const rule = source.splice?.rewriter.rule ?? NO_CHANGE;
    const splice = kind === 'exact' ? null : SplicedSource.renumbered(source.splice, rule, outgoing);
    this.#adopt(kind, splice);
  }

  /** Enters the source at a keyframe, if one is there with the beginning of its sound. */
  #enter(): void {
    const { buffer } = this.host;
    const { program } = this.#candidate;
    if (program === null) return;
    const promised = buffer.index.program ?? program;
    const mapping = mapProgram(promised, program);
    if (mapping.kind === 'codec-changed') {
      this.#refusal = { code: 'codec_changed', promised: mapping.promised, offered: mapping.offered };
      this.#settle('refused');
      return;
    }
    const clock = this.#sharedClock();
    if (clock === 'unknown') return;
    const entry = chooseEntry(this.#candidate.entries, clock);
    const start = entry === null ? null : this.#candidate.startAt(entry.position);
    if (entry === null || start === null) return;

    const last = buffer.cutTail();
    const units = new Map([...start.units].map(([pid, unit]) => [mapping.pids.get(pid) ?? pid, unit]));
    const offset = spliceOffset(last, { pcr: start.pcr, units });
    const tables = { patSection: promised.patSection, pmtSection: mapping.pmtSection, pmtPid: promised.pat.pmtPid };
    const clockBreaks = leaps(last.pcr, start.pcr, offset);
    const splice = SplicedSource.entered({ offset, pids: mapping.pids }, program, tables, clockBreaks, last, outgoingOf(buffer));
    const held = this.#candidate.bytesFrom(entry.position);
    this.#adopt('keyframe', splice);
    for (const bytes of held) this.#passOn(bytes, 0, bytes.length);
  }

  /** The clock that source and stream have in common, null where they have none, 'unknown' while more of the source is needed to tell. */
  #sharedClock(): SameClock | null | 'unknown' {
    const { buffer, source } = this.host;
    const pid = buffer.index.program?.accessPid;
    const last = buffer.cutState().clocks.find((clock) => clock.pid === pid);
    if (pid === undefined || last === undefined) return null;
    const offset = source.splice?.rewriter.rule.offset ?? 0;
    const shared = this.#verdict === 'gap' || (this.#verdict === 'differs' && this.#showsSamePictures(pid, offset));
    if (shared === 'unknown') return shared;
    return shared ? { lastDts: last.lastDts, offset } : null;
  }

  #showsSamePictures(pid: number, offset: number): boolean | 'unknown' {
    if (this.#samePictures !== null) return this.#samePictures;
    const { buffer } = this.host;
    const stream = { start: buffer.startPosition, end: buffer.takenEnd, bytesFrom: (position: number) => buffer.bytesFrom(position) };
    const pictures = this.#candidate.pictureHeads(offset);
    if (pictures.size < PICTURES_TO_JUDGE_BY) return 'unknown';
    this.#samePictures = showSamePictures(pictureHeads(stream, pid, 0), pictures);
    return this.#samePictures;
  }

  #adopt(kind: SpliceKind, splice: SplicedSource | null): void {
    this.#kind = kind;
    this.#settle('spliced');
    this.host.adopt(kind, { aligner: this.aligner, splice }, this);
  }

  /** Packets of the chunk in which the splice was made go on as the stream's. */
  #passOn(buffer: Buffer, from: number, to: number): void {
    takeFrom(this.host.source, this.host.buffer, buffer, from, to);
  }
}

/** Takes whole packets of `source` into the stream. */
export function takeFrom(source: Source, stream: StreamBuffer, buffer: Buffer, from: number, to: number): void {
  const { splice } = source;
  if (splice === null) {
    stream.take(buffer, from, to);
    return;
  }
  const wasSettled = splice.settled;
  splice.take(buffer, from, to, (bytes, first, end) => stream.take(bytes, first, end));
  // What was left out or changed in the opening is no mark to find the place by.
  if (!wasSettled && splice.settled) stream.index.anchors.clear();
}

function outgoingOf(buffer: StreamBuffer) {
  return {
    get program() {
      return buffer.index.program;
    },
    takenState: () => buffer.takenState(),
  };
}

/** The stream's clock does not simply go on: the source sends its pictures sooner or later before their time than the one before. */
function leaps(lastPcr: number, firstPcr: number, offset: number): boolean {
  if (lastPcr === NONE || firstPcr === NONE) return false;
  return Math.abs(distance(lastPcr, wrapped(firstPcr + offset * 300, WRAP_27M), WRAP_27M)) > MAX_CLOCK_STEP;
}
