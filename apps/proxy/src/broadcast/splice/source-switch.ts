/**
 * Switches the stream to another source. If the source has the position that the stream has reached, viewers get the very next packet. Otherwise the
 * source is entered at a keyframe and re-stamped. Until then nothing of it is sent.
 */
import {
  NONE,
  NO_CHANGE,
  PACKET_SIZE,
  PacketAligner,
  WRAP_27M,
  distance,
  mapProgram,
  samplePictures,
  showSamePictures,
  spliceOffset,
  wrapped,
} from '@acexy/mpegts';
import type { Clock } from '@acexy/service-kit/primitives';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import { CandidateSource, type SharedClock } from './candidate-source.js';
import { ContinuationSearch, type SearchVerdict } from './continuation-search.js';
import { SplicedSource } from './spliced-source.js';

/** 'searching': nothing is sent yet. 'spliced': the source feeds the stream. 'refused': it can never continue this stream. 'aborted': given up. */
export type SwitchState = 'searching' | 'spliced' | 'refused' | 'aborted';

/** How the stream continued. 'exact': byte for byte. 'renumbered': nothing lost or repeated, counters changed. 'keyframe': entered at a keyframe. */
export type SpliceKind = 'exact' | 'renumbered' | 'keyframe';

/** Viewers have a codec (an ISO/IEC 13818-1 stream type) that this source lacks. */
export interface CodecRefusal {
  readonly code: 'codec_changed';
  readonly promised: number;
  readonly offered: readonly number[];
}

/** The source that feeds the stream. */
export interface PacketSource {
  readonly aligner: PacketAligner;
  /** Null: packets are not changed. */
  readonly splice: SplicedSource | null;
}

/** The stream to continue. */
export interface SwitchHost {
  readonly clock: Clock;
  readonly buffer: StreamBuffer;
  readonly source: PacketSource;
  /** A switch to another source is running. */
  readonly switching: boolean;
  /** Takes bytes of the current source. */
  write(bytes: Buffer): void;
  /** Adds whole packets of the current source to the stream. */
  addPackets(buffer: Buffer, from: number, to: number): void;
  /** Runs `work`, which may add packets to the stream. */
  whileTaking(work: () => void): void;
  /** `source` becomes the current source. */
  adopt(kind: SpliceKind, source: PacketSource, by: SourceSwitch): void;
}

/** Pictures of the new source (0.4 s at 25/s) to compare with those of the stream. */
const PICTURES_TO_COMPARE = 10;
/** A longer step of the outgoing PCR needs the discontinuity indicator (27 MHz: 0.5 s). */
const MAX_PCR_STEP = 13_500_000;

export class SourceSwitch {
  readonly #candidate: CandidateSource;
  readonly #search: ContinuationSearch;
  readonly #startedAt: number;
  #state: SwitchState = 'searching';
  #verdict: SearchVerdict = 'undecided';
  #kind: SpliceKind | null = null;
  #refusal: CodecRefusal | null = null;
  #samePictures: boolean | null = null;
  #searchMs = 0;
  readonly #onPackets = (buffer: Buffer, from: number, to: number): void => this.take(buffer, from, to);

  /** `aligner`: finds the packets of the new source. */
  constructor(
    private readonly host: SwitchHost,
    private readonly aligner = new PacketAligner(),
  ) {
    const { clock, buffer, source } = host;
    this.#startedAt = clock.now();
    this.#candidate = new CandidateSource(() => clock.now());
    this.#search = new ContinuationSearch(buffer, source.splice, clock);
  }

  get state(): SwitchState {
    return this.#state;
  }

  /** What the search has found; 'undecided' while it is running. */
  get verdict(): SearchVerdict {
    return this.#verdict;
  }

  /** How the stream continued; null before. */
  get kind(): SpliceKind | null {
    return this.#kind;
  }

  /** Why the source was refused; null otherwise. */
  get refusal(): CodecRefusal | null {
    return this.#refusal;
  }

  /** Bytes of the new source in which no packets were found so far; 0 when packets were found. */
  get unrecognizedBytes(): number {
    return this.aligner.unlockedBytes;
  }

  /** How many of the last PCRs in a row the stream already has. */
  get repeats(): number {
    return this.#search.repeats;
  }

  /** Milliseconds from the start of the switch to its outcome, or until now. */
  get searchMs(): number {
    return this.#state === 'searching' ? this.host.clock.now() - this.#startedAt : this.#searchMs;
  }

  /** Bytes of the new source, in any chunking. After the splice they are written to the stream. */
  write(bytes: Buffer): void {
    if (this.#state !== 'searching' && this.#state !== 'spliced') return;
    if (this.#state === 'spliced') this.host.write(bytes);
    else this.host.whileTaking(() => this.aligner.push(bytes, this.#onPackets));
  }

  /** Gives up the source, unless it feeds the stream already. */
  abort(): void {
    if (this.#state === 'searching') this.#settle('aborted');
  }

  #settle(state: SwitchState): void {
    this.#searchMs = this.host.clock.now() - this.#startedAt;
    this.#state = state;
    this.#candidate.release();
  }

  /** Whole packets of the new source, which are only valid during the call. */
  take(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to && this.#state === 'searching' && this.#verdict === 'undecided') {
      this.#candidate.observe(buffer, at, at + PACKET_SIZE);
      if (this.#candidate.program !== null) this.#search.setPcrPid(this.#candidate.program.pmt.pcrPid);
      this.#verdict = this.host.buffer.packets === 0 ? 'exact' : this.#search.read(buffer, at);
      if (this.host.buffer.packets > 0) at += PACKET_SIZE; // in an empty stream this packet becomes the first
      if (this.#verdict === 'exact' || this.#verdict === 'renumbered') this.#continueExactly(this.#verdict);
    }
    if (this.#state === 'searching' && at < to) this.#candidate.observe(buffer, at, to);
    if (this.#state === 'searching' && this.#verdict !== 'undecided') this.#enterAtKeyframe();
    else if (this.#state === 'spliced' && at < to) this.host.addPackets(buffer, at, to);
  }

  #continueExactly(kind: 'exact' | 'renumbered'): void {
    const { buffer, source } = this.host;
    const rule = source.splice?.rewriter.rule ?? NO_CHANGE;
    this.#adopt(kind, kind === 'exact' ? null : SplicedSource.renumbered(source.splice, rule, buffer));
  }

  /** Does nothing until there is a keyframe with the start of its audio. */
  #enterAtKeyframe(): void {
    const { buffer } = this.host;
    const { program } = this.#candidate;
    if (program === null) return;
    const outgoing = buffer.index.program ?? program;
    const mapping = mapProgram(outgoing, program);
    if (mapping.kind === 'codec-changed') {
      this.#refusal = { code: 'codec_changed', promised: mapping.promised, offered: mapping.offered };
      this.#settle('refused');
      return;
    }
    const clock = this.#sharedClock();
    if (clock === 'unknown') return;
    const entry = this.#candidate.chooseEntry(clock);
    const first = entry === null ? null : this.#candidate.firstTimestampsFrom(entry.position);
    if (entry === null || first === null) return;

    const last = buffer.cut();
    const units = new Map([...first.units].map(([pid, unit]) => [mapping.pids.get(pid) ?? pid, unit]));
    const offset = spliceOffset(last, { pcr: first.pcr, units });
    const tables = { patSection: outgoing.patSection, pmtSection: mapping.pmtSection, pmtPid: outgoing.pat.pmtPid };
    const hasDiscontinuity = isDiscontinuity(last.pcr, first.pcr, offset);
    const splice = SplicedSource.entered({ offset, pids: mapping.pids }, program, tables, hasDiscontinuity, last, buffer);
    const held = this.#candidate.bytesFrom(entry.position);
    this.#adopt('keyframe', splice);
    for (const bytes of held) this.host.addPackets(bytes, 0, bytes.length);
  }

  /** The clock that source and stream share; null if they share none; 'unknown' until more of the source has been read. */
  #sharedClock(): SharedClock | null | 'unknown' {
    const { buffer, source } = this.host;
    const pid = buffer.index.program?.accessPid;
    const last = buffer.stateAtCut().clocks.find((clock) => clock.pid === pid);
    if (pid === undefined || last === undefined) return null;
    const offset = source.splice?.rewriter.rule.offset ?? 0;
    const isShared = this.#verdict === 'gap' || (this.#verdict === 'differs' && this.#showsSamePictures(pid, offset));
    if (isShared === 'unknown') return isShared;
    return isShared ? { lastDts: last.lastDts, offset } : null;
  }

  #showsSamePictures(pid: number, offset: number): boolean | 'unknown' {
    if (this.#samePictures !== null) return this.#samePictures;
    const samples = this.#candidate.samplePictures(offset);
    if (samples.size < PICTURES_TO_COMPARE) return 'unknown';
    this.#samePictures = showSamePictures(samplePictures(this.host.buffer, pid, 0), samples);
    return this.#samePictures;
  }

  #adopt(kind: SpliceKind, splice: SplicedSource | null): void {
    this.#kind = kind;
    this.#settle('spliced');
    this.host.adopt(kind, { aligner: this.aligner, splice }, this);
  }
}

/** Whether the outgoing PCR makes a step that must be marked: the new source has another delay between PCR and pictures. */
function isDiscontinuity(lastPcr: number, firstPcr: number, offset: number): boolean {
  if (lastPcr === NONE || firstPcr === NONE) return false;
  return Math.abs(distance(lastPcr, wrapped(firstPcr + offset * 300, WRAP_27M), WRAP_27M)) > MAX_PCR_STEP;
}
