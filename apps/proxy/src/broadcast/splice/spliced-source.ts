/** A source whose packets go on where another's ended: rewritten until the next splice, as one deterministic translation. */
import {
  NULL_PID,
  PACKET_SIZE,
  PAT_PID,
  type Program,
  ProgramTracker,
  type RewriteRule,
  SourceRewriter,
  type StreamSnapshot,
  mapProgram,
  packetizeSection,
  pidOf,
  readPcr,
  startsUnit,
  NONE,
} from '@acexy/mpegts';
import type { Translation } from './continuation-search.js';
import { SpliceInFilter } from './splice-in-filter.js';

/** The tables that viewers know, sent in the places of the source's own. */
export interface OutgoingTables {
  readonly patSection: Uint8Array;
  readonly pmtSection: Uint8Array;
  readonly pmtPid: number;
}

/** What the source needs to know of the stream it continues. */
export interface OutgoingStream {
  readonly program: Program | null;
  takenState(): StreamSnapshot;
}

/** Takes whole packets in `buffer[from, to)`, good only during the call. */
export type Emit = (buffer: Buffer, from: number, to: number) => void;

const DISCONTINUITY_INDICATOR = 0x80;

export class SplicedSource implements Translation {
  rewriter: SourceRewriter;
  readonly #tracker = new ProgramTracker();
  /** PIDs of the source's own tables. */
  readonly #replaced = new Set<number>();
  #tables: OutgoingTables | null;
  #program: Program | null;
  #opening: SpliceInFilter | null = null;
  #clockBreaks = false;
  #patCounter = 0;
  #pmtCounter = 0;
  #scratch = Buffer.alloc(0);
  #length = 0;

  /** `program`: the source's own; `tables` null: its own tables are passed on. */
  private constructor(
    rule: RewriteRule,
    program: Program | null,
    tables: OutgoingTables | null,
    private readonly outgoing: OutgoingStream,
  ) {
    this.#program = program;
    this.#tables = tables;
    this.rewriter = new SourceRewriter(rule, []);
    this.#fitTo(rule, outgoing.takenState());
    if (tables !== null && program !== null) {
      this.#replaced.add(PAT_PID).add(program.pat.pmtPid);
    }
  }

  /** The same packets as before under other counters. `before`: how they were taken so far. */
  static renumbered(before: SplicedSource | null, rule: RewriteRule, outgoing: OutgoingStream): SplicedSource {
    return new SplicedSource(rule, before === null ? null : before.#program, before === null ? null : before.#tables, outgoing);
  }

  /** A source entered at a keyframe; its first packet must be that of the keyframe. `clockBreaks`: the PCR leaps there. */
  static entered(
    rule: RewriteRule,
    program: Program,
    tables: OutgoingTables,
    clockBreaks: boolean,
    last: StreamSnapshot,
    outgoing: OutgoingStream,
  ): SplicedSource {
    const source = new SplicedSource(rule, program, tables, outgoing);
    const { rewriter } = source;
    source.#opening = new SpliceInFilter({ program, last, offset: rule.offset, outgoingPid: (pid) => rewriter.outgoingPid(pid) });
    source.#clockBreaks = clockBreaks;
    source.#reserve(4 * PACKET_SIZE);
    source.#addTable(PAT_PID);
    source.#addTable(program.pat.pmtPid);
    return source;
  }

  get tablePids(): ReadonlySet<number> {
    return this.#tables === null ? this.#replaced : new Set([...this.#replaced, this.#tables.pmtPid]);
  }

  /** The source's own; null while it is not known. */
  get program(): Program | null {
    return this.#program;
  }

  /** The source's packets are passed on as they are, rewriting aside. */
  get settled(): boolean {
    return this.#opening === null;
  }

  /** Rewrites the whole packets in `buffer[from, to)` and hands them on. */
  take(buffer: Buffer, from: number, to: number, emit: Emit): void {
    this.#reserve(to - from);
    for (let at = from; at < to; at += PACKET_SIZE) {
      const pid = pidOf(buffer, at);
      if (pid !== NULL_PID && this.#replaced.has(pid)) this.#takeTable(buffer, at, pid, emit);
      else this.#takePacket(buffer, at, pid);
    }
    this.#flush(emit);
  }

  #takePacket(buffer: Buffer, at: number, pid: number): void {
    if (pid !== NULL_PID) {
      if (this.rewriter.outgoingPid(pid) === NULL_PID) return;
      if (this.#opening !== null && !this.#opening.passes(buffer, at, pid)) {
        this.rewriter.leaveOut(buffer, at);
        return;
      }
    }
    const out = this.#length;
    this.#reserve(PACKET_SIZE);
    buffer.copy(this.#scratch, out, at, at + PACKET_SIZE);
    this.#length += PACKET_SIZE;
    this.#opening?.repair(this.#scratch, out, pid);
    this.rewriter.rewrite(this.#scratch, out);
    if (this.#clockBreaks && readPcr(this.#scratch, out) !== NONE) {
      this.#scratch[out + 5] |= DISCONTINUITY_INDICATOR;
      this.#clockBreaks = false;
    }
    if (this.#opening?.settled === true) this.#opening = null;
  }

  #takeTable(buffer: Buffer, at: number, pid: number, emit: Emit): void {
    this.#tracker.push(buffer, at, pid);
    const program = this.#tracker.program;
    if (program !== null && this.#program !== null && !sameTables(program, this.#program)) {
      this.#flush(emit);
      this.#follow(program);
    }
    if (startsUnit(buffer, at)) this.#addTable(pid);
  }

  /** The source has changed its own program: it is fitted in anew. Where the codec changes, only what was there before goes on. */
  #follow(program: Program): void {
    this.#program = program;
    this.#replaced.add(program.pat.pmtPid);
    const { program: promised } = this.outgoing;
    if (promised === null || this.#tables === null) return;
    const mapping = mapProgram(promised, program);
    if (mapping.kind !== 'mapped') return;
    this.#tables = { ...this.#tables, pmtSection: mapping.pmtSection };
    this.#fitTo({ offset: this.rewriter.rule.offset, pids: mapping.pids }, this.outgoing.takenState());
  }

  #fitTo(rule: RewriteRule, last: StreamSnapshot): void {
    this.rewriter = new SourceRewriter(rule, last.counters);
    const counterOf = (pid: number): number => last.counters.find((entry) => entry.pid === pid)?.counter ?? -1;
    this.#patCounter = counterOf(PAT_PID) + 1;
    this.#pmtCounter = counterOf(this.#tables?.pmtPid ?? NULL_PID) + 1;
  }

  /** Adds our own table in the place of the source's on `pid`. */
  #addTable(pid: number): void {
    const tables = this.#tables;
    if (tables === null) return;
    const isPat = pid === PAT_PID;
    const packets = isPat
      ? packetizeSection(tables.patSection, PAT_PID, this.#patCounter)
      : packetizeSection(tables.pmtSection, tables.pmtPid, this.#pmtCounter);
    if (isPat) this.#patCounter += packets.length / PACKET_SIZE;
    else this.#pmtCounter += packets.length / PACKET_SIZE;
    this.#reserve(packets.length);
    packets.copy(this.#scratch, this.#length);
    this.#length += packets.length;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#scratch.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#scratch.length, this.#length + bytes));
    this.#scratch.copy(larger, 0, 0, this.#length);
    this.#scratch = larger;
  }

  #flush(emit: Emit): void {
    const length = this.#length;
    this.#length = 0;
    if (length > 0) emit(this.#scratch, 0, length);
  }
}

function sameTables(one: Program, other: Program): boolean {
  return one.pat.pmtPid === other.pat.pmtPid && Buffer.compare(one.pmtSection, other.pmtSection) === 0;
}
