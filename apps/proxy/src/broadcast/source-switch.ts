/**
 * Another source for a stream that goes on. It is searched for the place that the stream has reached; where it has that, viewers get the very next
 * packet. Where it has not, it is entered at a keyframe, on the stream's own clock. Until then nothing of it is sent.
 */
import {
  NO_CHANGE,
  NONE,
  PACKET_SIZE,
  PacketAligner,
  type Program,
  decodingTimeOf,
  mapProgram,
  spliceOffset,
  WRAP_27M,
  distance,
  isSound,
} from '@acexy/mpegts';
import type { Clock } from './clock.js';
import { ContinuationSearch, type SearchVerdict } from './continuation-search.js';
import { chooseEntry } from './entry.policy.js';
import { HeldPackets } from './held-packets.js';
import { PieceStartReader } from './piece-start.js';
import { pictureHeads, showSamePictures } from './same-pictures.js';
import { SplicedSource } from './spliced-source.js';
import type { StreamBuffer } from './stream-buffer.js';
import { type AccessPoint, StreamIndex } from './stream-index.js';

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
  adopt(kind: SpliceKind, source: Source): void;
}

/** Bytes of the new source that are held while its place is looked for: enough for 8 s at 8 Mb/s. */
const MAX_HELD = 8 * 1024 * 1024;
/** How much of the source behind the keyframe is waited for, to know where its sound begins. */
const MAX_HEAD = 1024 * 1024;
/** A longer step of the clock has to be announced (27 MHz: 0.5 s). */
const MAX_CLOCK_STEP = 13_500_000;

export class SourceSwitch {
  readonly #aligner = new PacketAligner();
  readonly #held = new HeldPackets(MAX_HELD);
  readonly #index: StreamIndex;
  readonly #search: ContinuationSearch;
  readonly #startedAt: number;
  #points: AccessPoint[] = [];
  #state: SwitchState = 'searching';
  #verdict: SearchVerdict = 'undecided';
  #kind: SpliceKind | null = null;
  #refusal: CodecRefusal | null = null;
  #programKnown = false;
  #sameClock: boolean | null = null;
  #bytesIn = 0;
  #searchMs = 0;
  readonly #onRun = (buffer: Buffer, from: number, to: number): void => this.#take(buffer, from, to);

  constructor(private readonly host: SwitchHost) {
    const { clock, buffer, source } = host;
    this.#startedAt = clock.now();
    this.#index = new StreamIndex(
      () => clock.now(),
      (point) => this.#points.push(point),
    );
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
        this.host.whileTaking(() => this.#aligner.push(bytes, this.#onRun));
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
    this.#held.clear();
    this.#points = [];
  }

  #take(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to && this.#state === 'searching' && this.#verdict === 'undecided') {
      this.#observe(buffer, at, at + PACKET_SIZE);
      this.#verdict = this.host.buffer.packets === 0 ? 'exact' : this.#search.read(buffer, at);
      if (this.host.buffer.packets > 0) at += PACKET_SIZE; // the first packets of all are the stream's
      if (this.#verdict === 'exact' || this.#verdict === 'renumbered') this.#continueExactly(this.#verdict);
    }
    if (this.#state === 'searching' && at < to) this.#observe(buffer, at, to);
    if (this.#state === 'searching' && this.#verdict !== 'undecided') this.#enter();
    else if (this.#state === 'spliced' && at < to) this.#passOn(buffer, at, to);
  }

  /** Keeps packets and reads what they say about the source. */
  #observe(buffer: Buffer, from: number, to: number): void {
    const position = this.#held.end;
    this.#held.append(buffer, from, to);
    for (let at = from; at < to; at += PACKET_SIZE) this.#index.observe(buffer, at, position + at - from);
    if (this.#programKnown || this.#index.program === null) return;
    this.#programKnown = true;
    this.#search.followClockOn(this.#index.program.pmt.pcrPid);
    this.#readAgain();
  }

  /** A keyframe may have gone by unrecognised before its tables. */
  #readAgain(): void {
    for (let position = this.#held.start; position < this.#held.end;) {
      const bytes = this.#held.bytesFrom(position);
      for (let at = 0; at < bytes.length; at += PACKET_SIZE) this.#index.observe(bytes, at, position + at);
      position += bytes.length;
    }
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
    const { program } = this.#index;
    if (program === null) return;
    const promised = buffer.index.program;
    const mapping = mapProgram(promised ?? program, program);
    if (mapping.kind === 'codec-changed') {
      this.#refusal = { code: 'codec_changed', promised: mapping.promised, offered: mapping.offered };
      this.#settle('refused');
      return;
    }
    const entry = this.#entryPoint(program);
    if (entry === null) return;
    const reader = new PieceStartReader(pacingPids(program));
    for (let position = entry.position; position < this.#held.end;) {
      const bytes = this.#held.bytesFrom(position);
      reader.read(bytes, 0);
      position += bytes.length;
    }
    if (!reader.hasFound(pacingPids(program).size) && this.#held.end - entry.position < MAX_HEAD) return;

    const last = buffer.cutTail();
    const numbered = (pid: number): number => mapping.pids.get(pid) ?? pid;
    const { units, pcr } = reader.start;
    const start = { pcr, units: new Map([...units].map(([pid, unit]) => [numbered(pid), unit])) };
    const offset = spliceOffset(last, start);
    const rule = { offset, pids: mapping.pids };
    const outgoingProgram = promised ?? program;
    const tables = { patSection: outgoingProgram.patSection, pmtSection: mapping.pmtSection, pmtPid: outgoingProgram.pat.pmtPid };
    const clockBreaks =
      last.pcr !== NONE && pcr !== NONE && Math.abs(distance(last.pcr, (pcr + offset * 300) % WRAP_27M, WRAP_27M)) > MAX_CLOCK_STEP;
    const splice = SplicedSource.entered(rule, program, tables, clockBreaks, last, outgoingOf(buffer));
    const held = this.#heldFrom(entry.position);
    this.#adopt('keyframe', splice);
    for (const bytes of held) this.#passOn(bytes, 0, bytes.length);
  }

  #entryPoint(program: Program): AccessPoint | null {
    const { buffer, source } = this.host;
    const entries = this.#points
      .filter(({ position }) => position >= this.#held.start)
      .map((point) => ({ point, kind: point.kind, dts: decodingTimeOf(this.#held.bytesFrom(point.position), 0) }));
    const promised = buffer.index.program;
    const clock = promised === null ? undefined : buffer.takenState().clocks.find(({ pid }) => pid === promised.accessPid);
    const offset = source.splice?.rewriter.rule.offset ?? 0;
    const same = clock !== undefined && this.#isOnSameClock(program, offset) ? { lastDts: clock.lastDts, offset } : null;
    return chooseEntry(entries, same)?.point ?? null;
  }

  #isOnSameClock(program: Program, offset: number): boolean {
    if (this.#verdict !== 'differs') return this.#verdict === 'gap';
    this.#sameClock ??= showSamePictures(this.#recentPictures(), pictureHeads(this.#heldPiece(), program.accessPid, offset));
    return this.#sameClock;
  }

  #heldPiece() {
    return { start: this.#held.start, end: this.#held.end, bytesFrom: (position: number) => this.#held.bytesFrom(position) };
  }

  #recentPictures(): Map<number, Buffer> {
    const { buffer } = this.host;
    const pid = buffer.index.program?.accessPid;
    if (pid === undefined) return new Map();
    return pictureHeads({ start: buffer.startPosition, end: buffer.takenEnd, bytesFrom: (position) => buffer.bytesFrom(position) }, pid, 0);
  }

  #heldFrom(start: number): Buffer[] {
    const blocks: Buffer[] = [];
    for (let position = start; position < this.#held.end; position += blocks[blocks.length - 1].length)
      blocks.push(this.#held.bytesFrom(position));
    return blocks;
  }

  #adopt(kind: SpliceKind, splice: SplicedSource | null): void {
    this.#kind = kind;
    this.#settle('spliced');
    this.host.adopt(kind, { aligner: this.#aligner, splice });
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

/** The PIDs by whose clocks two pieces are laid together: picture and sound. Others come and go. */
function pacingPids(program: Program): Set<number> {
  const sound = program.pmt.streams.filter(({ streamType }) => isSound(streamType)).map(({ pid }) => pid);
  return new Set([program.accessPid, ...sound]);
}
