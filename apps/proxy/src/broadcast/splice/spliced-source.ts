/** A source whose packets continue those of another source: rewritten until the next splice, always by the same rule. */
import {
  type ContinuitySnapshot,
  NONE,
  NULL_PID,
  PACKET_SIZE,
  PAT_PID,
  PacketRewriter,
  type Program,
  ProgramTracker,
  type RewriteRule,
  mapProgram,
  packetizeSection,
  pidOf,
  readPcr,
  startsUnit,
} from '@acexy/mpegts';
import type { StreamBuffer } from '../buffer/stream-buffer.js';
import { SpliceInFilter } from './splice-in-filter.js';

/** The tables that viewers know, sent instead of the source's own. */
export interface OutgoingTables {
  readonly patSection: Uint8Array;
  readonly pmtSection: Uint8Array;
  readonly pmtPid: number;
}

/** Takes whole packets in `buffer[from, to)`, which are only valid during the call. */
export type PacketSink = (buffer: Buffer, from: number, to: number) => void;

const DISCONTINUITY_INDICATOR = 0x80;

export class SplicedSource {
  rewriter: PacketRewriter;
  readonly #tracker = new ProgramTracker();
  /** PIDs of the source's own tables. */
  readonly #replaced = new Set<number>();
  #filter: SpliceInFilter | null = null;
  #markDiscontinuity = false;
  #patCounter = 0;
  #pmtCounter = 0;
  #output = Buffer.alloc(0);
  #length = 0;

  /** `program`: the source's own; null while it is not known. `tables` null: the source's own are passed on. */
  private constructor(
    rule: RewriteRule,
    public program: Program | null,
    private tables: OutgoingTables | null,
    private readonly stream: StreamBuffer,
  ) {
    this.rewriter = this.#fitTo(rule);
    if (tables !== null && program !== null) this.#replaced.add(PAT_PID).add(program.pat.pmtPid);
  }

  /** The same packets as those in the stream, with other counters. `before`: how the stream's packets were rewritten. */
  static renumbered(before: SplicedSource | null, rule: RewriteRule, stream: StreamBuffer): SplicedSource {
    return new SplicedSource(rule, before?.program ?? null, before?.tables ?? null, stream);
  }

  /**
   * A source that is entered at a keyframe; its first packet must be that of the keyframe. `last`: the end of the stream before it.
   * `hasDiscontinuity`: the outgoing PCR jumps there, so the first one is marked.
   */
  static entered(
    rule: RewriteRule,
    program: Program,
    tables: OutgoingTables,
    hasDiscontinuity: boolean,
    last: ContinuitySnapshot,
    stream: StreamBuffer,
  ): SplicedSource {
    const source = new SplicedSource(rule, program, tables, stream);
    source.#filter = new SpliceInFilter(program, last, source.rewriter);
    source.#markDiscontinuity = hasDiscontinuity;
    source.#addTable(PAT_PID);
    source.#addTable(program.pat.pmtPid);
    return source;
  }

  /** PIDs, in the source and in the stream, of tables that are not the source's own. */
  get tablePids(): ReadonlySet<number> {
    return this.tables === null ? this.#replaced : new Set([...this.#replaced, this.tables.pmtPid]);
  }

  /** Every packet of the source passes, so the stream can be compared with the source. */
  get complete(): boolean {
    return this.#filter === null;
  }

  /** Rewrites the whole packets in `buffer[from, to)` and passes them on. */
  take(buffer: Buffer, from: number, to: number, sink: PacketSink): void {
    this.#reserve(to - from);
    for (let at = from; at < to; at += PACKET_SIZE) {
      const pid = pidOf(buffer, at);
      if (pid !== NULL_PID && this.#replaced.has(pid)) this.#takeTable(buffer, at, pid, sink);
      else this.#takePacket(buffer, at, pid);
    }
    this.#flush(sink);
  }

  #takePacket(buffer: Buffer, at: number, pid: number): void {
    if (pid !== NULL_PID) {
      if (this.rewriter.outgoingPid(pid) === NULL_PID) return;
      if (this.#filter !== null && !this.#filter.passes(buffer, at, pid)) {
        this.rewriter.drop(buffer, at);
        return;
      }
    }
    const out = this.#length;
    this.#append(buffer, at, at + PACKET_SIZE);
    this.#filter?.repair(this.#output, out, pid);
    this.rewriter.rewrite(this.#output, out);
    if (this.#markDiscontinuity && readPcr(this.#output, out) !== NONE) {
      this.#output[out + 5] |= DISCONTINUITY_INDICATOR;
      this.#markDiscontinuity = false;
    }
    if (this.#filter?.done === true) this.#filter = null;
  }

  #takeTable(buffer: Buffer, at: number, pid: number, sink: PacketSink): void {
    this.#tracker.push(buffer, at, pid);
    const program = this.#tracker.program;
    if (program !== null && this.program !== null && !haveSameTables(program, this.program)) {
      this.#flush(sink);
      this.#changeProgram(program);
    }
    if (startsUnit(buffer, at)) this.#addTable(pid);
  }

  /** The source has changed its program: maps it again. If a codec changes, only the streams mapped before continue. */
  #changeProgram(program: Program): void {
    this.program = program;
    this.#replaced.add(program.pat.pmtPid);
    const outgoing = this.stream.index.program;
    if (outgoing === null || this.tables === null) return;
    const mapping = mapProgram(outgoing, program);
    if (mapping.kind !== 'mapped') return;
    this.tables = { ...this.tables, pmtSection: mapping.pmtSection };
    this.rewriter = this.#fitTo({ offset: this.rewriter.rule.offset, pids: mapping.pids });
  }

  /** The counters continue those at the end of the stream. */
  #fitTo(rule: RewriteRule): PacketRewriter {
    const { counters } = this.stream.stateAtEnd();
    this.#patCounter = (counters.get(PAT_PID) ?? -1) + 1;
    this.#pmtCounter = (counters.get(this.tables?.pmtPid ?? NULL_PID) ?? -1) + 1;
    return new PacketRewriter(rule, counters);
  }

  /** Adds the outgoing table instead of the source's table on `pid`. */
  #addTable(pid: number): void {
    const { tables } = this;
    if (tables === null) return;
    const isPat = pid === PAT_PID;
    const packets = isPat
      ? packetizeSection(tables.patSection, PAT_PID, this.#patCounter)
      : packetizeSection(tables.pmtSection, tables.pmtPid, this.#pmtCounter);
    if (isPat) this.#patCounter += packets.length / PACKET_SIZE;
    else this.#pmtCounter += packets.length / PACKET_SIZE;
    this.#append(packets, 0, packets.length);
  }

  #append(packets: Buffer, from: number, to: number): void {
    this.#reserve(to - from);
    this.#length += packets.copy(this.#output, this.#length, from, to);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#output.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#output.length, this.#length + bytes));
    this.#output.copy(larger, 0, 0, this.#length);
    this.#output = larger;
  }

  #flush(sink: PacketSink): void {
    const length = this.#length;
    this.#length = 0;
    if (length > 0) sink(this.#output, 0, length);
  }
}

function haveSameTables(one: Program, other: Program): boolean {
  return one.pat.pmtPid === other.pat.pmtPid && Buffer.compare(one.pmtSection, other.pmtSection) === 0;
}
