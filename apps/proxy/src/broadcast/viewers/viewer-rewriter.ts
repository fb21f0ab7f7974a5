/**
 * Copies bytes for one viewer. A joining viewer gets its tables and the first moments as a copy, until every stream has started a unit. A viewer
 * that has skipped gets copies with its own clocks and counters from then on. All others share the ring's chunks.
 */
import {
  type ContinuityState,
  OpenGopEntry,
  PACKET_SIZE,
  PAT_PID,
  PacketRewriter,
  type Program,
  UnitStartFilter,
  continuityCounter,
  hasPayload,
  packetizeSection,
  pidOf,
  startsUnit,
} from '@acexy/mpegts';
import { type FramedBytes, FramedBuffer } from '../buffer/framed-bytes.js';
import type { RandomAccessPoint } from '../buffer/stream-index.js';

const NO_DATA = Buffer.alloc(0);
/** Bytes after which a joining viewer gets every stream as it is. An audio PES packet starts every 20 to 300 ms. */
const MAX_WAIT_BYTES = 1024 * 1024;

/** A viewer that could not wait for a random-access point: its video starts at the next one. */
export interface LateEntry {
  /** Whether a random-access point is at this position of the stream. */
  isEntry(position: number): boolean;
  /** Units after which it gets the video as it is, because the stream may have no random-access points. */
  readonly maxUnits: number;
}

/** PAT and PMT to start with, and the counters of the last ones before the join position. */
export type JoinTables = Pick<RandomAccessPoint, 'program' | 'patCounter' | 'pmtCounter'> & { readonly lateEntry?: LateEntry };

/** How a viewer continues after a skip. */
export interface SkipContinuation {
  /** Counters and clocks of what it was sent; kept up to date with every copy. */
  readonly sent: ContinuityState;
  /** Added to the clocks (ticks of 90 kHz). */
  readonly offset: number;
}

export class ViewerRewriter {
  readonly #program: Program | null;
  readonly #starts: UnitStartFilter;
  readonly #sent: ContinuityState | null;
  readonly #rewriter: PacketRewriter | null;
  readonly #openGop: OpenGopEntry;
  #tables: JoinTables | null;
  #lateEntry: LateEntry | null;
  #unitsSeen = 0;

  /** `tables` null: they are not known yet. `skip` null: clocks and counters stay as they are. */
  constructor(tables: JoinTables | null, skip: SkipContinuation | null) {
    this.#tables = tables;
    this.#program = tables?.program ?? null;
    this.#lateEntry = tables?.lateEntry ?? null;
    this.#starts = new UnitStartFilter(pidsToWaitFor(this.#program), MAX_WAIT_BYTES);
    this.#sent = skip?.sent ?? null;
    this.#rewriter = skip === null ? null : new PacketRewriter({ offset: skip.offset, pids: new Map() }, skip.sent.snapshot().counters);
    this.#openGop = new OpenGopEntry(skip === null ? null : (this.#program?.videoCodec ?? null));
  }

  /** The viewer can share chunks from now on. */
  get done(): boolean {
    return this.#rewriter === null && this.#tables === null && this.#passesAll;
  }

  /**
   * The viewer's copy of `data`, which is at `position` in the stream, from byte `from` on. Null if nothing of it is for this viewer. Data must
   * come in order.
   */
  copy(data: Buffer, from: number, position: number): FramedBytes | null {
    const tables = this.#tables === null ? null : tablePackets(this.#tables, data, from);
    this.#tables = null;
    const copy = new FramedBuffer((tables?.length ?? 0) + data.length - from);
    if (tables !== null) this.#addTables(copy.payload, tables);
    const length = this.#copyWanted(data, from, position, copy.payload, tables?.length ?? 0);
    return length === 0 ? null : copy.close(length);
  }

  #addTables(target: Buffer, tables: Buffer): void {
    tables.copy(target);
    for (let at = 0; at < tables.length; at += PACKET_SIZE) this.#rewrite(target, at);
    // The stream's own tables continue the counters of these.
    for (let at = 0; at < tables.length; at += PACKET_SIZE) this.#rewriter?.drop(tables, at);
  }

  /** Copies to `target` from `start` on and returns the end. */
  #copyWanted(data: Buffer, from: number, position: number, target: Buffer, start: number): number {
    let to = start;
    let at = from;
    for (; at < data.length && !this.#passesAll; at += PACKET_SIZE) {
      if (!this.#passes(data, at, position + at)) {
        this.#rewriter?.drop(data, at);
        continue;
      }
      data.copy(target, to, at, at + PACKET_SIZE);
      if (pidOf(data, at) === this.#program?.accessPid) this.#openGop.repair(target, to);
      this.#rewrite(target, to);
      to += PACKET_SIZE;
    }
    const end = to + data.copy(target, to, at);
    if (this.#rewriter !== null) for (; to < end; to += PACKET_SIZE) this.#rewrite(target, to);
    return end;
  }

  get #passesAll(): boolean {
    return this.#starts.done && this.#lateEntry === null && this.#openGop.done;
  }

  #passes(data: Buffer, at: number, position: number): boolean {
    const pid = pidOf(data, at);
    if (!this.#starts.passes(data, at, pid)) return false;
    if (pid !== this.#program?.accessPid) return true;
    return this.#passesLateEntry(data, at, position) && this.#openGop.passes(data, at);
  }

  #passesLateEntry(data: Buffer, at: number, position: number): boolean {
    if (this.#lateEntry === null) return true;
    if (startsUnit(data, at)) {
      if (this.#lateEntry.isEntry(position) || this.#unitsSeen >= this.#lateEntry.maxUnits) {
        this.#lateEntry = null;
        return true;
      }
      this.#unitsSeen += 1;
    }
    return !hasPayload(data, at);
  }

  #rewrite(target: Buffer, at: number): void {
    this.#rewriter?.rewrite(target, at);
    this.#sent?.observe(target, at, at + PACKET_SIZE);
  }
}

/** All PIDs except the one with the random-access points, because the viewer starts at such a point. */
function pidsToWaitFor(program: Program | null): number[] {
  if (program === null) return [];
  const pids = [PAT_PID, program.pat.pmtPid, ...program.pmt.streams.map(({ pid }) => pid)];
  return pids.filter((pid) => pid !== program.accessPid);
}

/**
 * PAT and PMT with the counters of the last ones before the position: a viewer that has read those gets duplicates, which are no error. If the tables
 * come again in `data[from, …)`, the counters lead up to those, so that no viewer sees an error.
 */
export function tablePackets({ program, patCounter, pmtCounter }: JoinTables, data: Buffer = NO_DATA, from = 0): Buffer {
  const { pmtPid } = program.pat;
  return Buffer.concat([
    sectionUpTo(program.patSection, PAT_PID, counterBefore(PAT_PID, data, from) ?? patCounter),
    sectionUpTo(program.pmtSection, pmtPid, counterBefore(pmtPid, data, from) ?? pmtCounter),
  ]);
}

/** The packets of the section; the last packet has the counter `counter`. */
function sectionUpTo(section: Uint8Array, pid: number, counter: number): Buffer {
  const count = packetizeSection(section, pid).length / PACKET_SIZE;
  return packetizeSection(section, pid, counter + 1 - count);
}

/** The counter before the first section of `pid`; null if none starts. */
function counterBefore(pid: number, data: Buffer, from: number): number | null {
  for (let at = from; at < data.length; at += PACKET_SIZE) {
    if (pidOf(data, at) === pid && startsUnit(data, at)) return continuityCounter(data, at) - 1;
  }
  return null;
}
