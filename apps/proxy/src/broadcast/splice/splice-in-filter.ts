/** The first moments of a source that is entered at a keyframe: drops units that started before the entry and repairs an open GOP. */
import {
  type ContinuitySnapshot,
  NONE,
  OpenGopEntry,
  type PacketRewriter,
  type Program,
  UnitStartFilter,
  WRAP_90K,
  distance,
  isAudio,
  readPts,
  startsUnit,
  wrapped,
} from '@acexy/mpegts';

/** PIDs of the tables that describe services and events (ETSI EN 300 468, table 1). */
const SI_PIDS = Array.from({ length: 16 }, (_, index) => 0x10 + index);

export class SpliceInFilter {
  readonly #starts: UnitStartFilter;
  readonly #audioPids: readonly number[];
  readonly #latestPts: ReadonlyMap<number, number>;
  readonly #openGop: OpenGopEntry;

  /** `program`: the source's own. `last`: the end of the stream before it, by outgoing PID. */
  constructor(
    private readonly program: Program,
    last: ContinuitySnapshot,
    private readonly rewriter: PacketRewriter,
  ) {
    const pids = program.pmt.streams.map((stream) => stream.pid).filter((pid) => pid !== program.accessPid);
    this.#starts = new UnitStartFilter([...pids, ...SI_PIDS]);
    this.#audioPids = program.pmt.streams.filter(isAudio).map((stream) => stream.pid);
    this.#latestPts = new Map(last.clocks.map(({ pid, latestPts }) => [pid, latestPts]));
    this.#openGop = new OpenGopEntry(program.videoCodec);
  }

  /** Video and audio have started and pass unchanged. */
  get done(): boolean {
    return this.#openGop.done && !this.#audioPids.some((pid) => this.#starts.isWaitingFor(pid));
  }

  /** Whether the packet of `pid` (the source's PID) at `at` passes. Call it once per packet, in order. */
  passes(buffer: Uint8Array, at: number, pid: number): boolean {
    if (pid === this.program.accessPid) return this.#openGop.passes(buffer, at);
    if (this.#starts.isWaitingFor(pid) && startsUnit(buffer, at) && this.#wasSent(buffer, at, pid)) return false;
    return this.#starts.passes(buffer, at, pid);
  }

  /** Changes, in place, a packet that passes. */
  repair(buffer: Uint8Array, at: number, pid: number): void {
    if (pid === this.program.accessPid) this.#openGop.repair(buffer, at);
  }

  /** Viewers already have this stream up to the time of the unit. */
  #wasSent(buffer: Uint8Array, at: number, pid: number): boolean {
    const latest = this.#latestPts.get(this.rewriter.outgoingPid(pid));
    const pts = readPts(buffer, at);
    if (latest === undefined || pts === NONE) return false;
    return distance(latest, wrapped(pts + this.rewriter.rule.offset, WRAP_90K), WRAP_90K) <= 0;
  }
}
