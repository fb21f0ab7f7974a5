/**
 * The first moments of a piece of stream that was entered at a keyframe: what began before the entry is left out, and open groups of pictures
 * are made fit to be entered.
 */
import {
  BrokenLinkMarker,
  LeadingPictureFilter,
  NONE,
  type Program,
  type StreamSnapshot,
  WRAP_90K,
  distance,
  hasPayload,
  isSound,
  presentationTimeOf,
  startsUnit,
  wrapped,
} from '@acexy/mpegts';

/** PIDs of the tables that describe services and events (ETSI EN 300 468, table 1). */
const FIRST_SI_PID = 0x10;
const LAST_SI_PID = 0x1f;

export interface Entry {
  /** The source's own program. */
  readonly program: Program;
  /** Where the stream before it ended. */
  readonly last: StreamSnapshot;
  /** Added to the source's clocks (ticks of 90 kHz). */
  readonly offset: number;
  outgoingPid(pid: number): number;
}

export class SpliceInFilter {
  readonly #waiting: Set<number>;
  readonly #essential: readonly number[];
  readonly #latest = new Map<number, number>();
  #link: BrokenLinkMarker | null;
  readonly #leading: LeadingPictureFilter | null;

  constructor(private readonly entry: Entry) {
    const { program, last } = entry;
    this.#waiting = new Set(program.pmt.streams.map((stream) => stream.pid));
    for (let pid = FIRST_SI_PID; pid <= LAST_SI_PID; pid += 1) this.#waiting.add(pid);
    this.#waiting.delete(program.accessPid);
    this.#essential = program.pmt.streams.filter(isSound).map((stream) => stream.pid);
    for (const { pid, latestPts } of last.clocks) this.#latest.set(pid, latestPts);
    this.#link = program.videoCodec === 'hevc' ? new BrokenLinkMarker() : null;
    this.#leading = program.videoCodec === 'mpeg2' ? new LeadingPictureFilter() : null;
  }

  /** PoolSnapshot and sound have begun and are passed on as they are. */
  get settled(): boolean {
    return this.#link === null && (this.#leading === null || this.#leading.over) && !this.#essential.some((pid) => this.#waiting.has(pid));
  }

  /** Whether the packet of `pid` (the source's number) at `at` is passed on. Packets must be asked for in order, each once. */
  passes(buffer: Uint8Array, at: number, pid: number): boolean {
    if (pid === this.entry.program.accessPid) return this.#leading === null || this.#leading.passes(buffer, at);
    if (!this.#waiting.has(pid) || !hasPayload(buffer, at)) return true;
    if (!startsUnit(buffer, at) || this.#wasSent(buffer, at, pid)) return false;
    this.#waiting.delete(pid);
    return true;
  }

  /** Changes, in place, a packet of the source that passes; `pid` is its number there. */
  repair(buffer: Uint8Array, at: number, pid: number): void {
    if (this.#link === null || pid !== this.entry.program.accessPid) return;
    this.#link.mark(buffer, at);
    if (this.#link.done) this.#link = null;
  }

  /** The unit belongs to a time that viewers have had of this stream. */
  #wasSent(buffer: Uint8Array, at: number, pid: number): boolean {
    const latest = this.#latest.get(this.entry.outgoingPid(pid));
    const pts = presentationTimeOf(buffer, at);
    if (latest === undefined || pts === NONE) return false;
    return distance(latest, wrapped(pts + this.entry.offset, WRAP_90K), WRAP_90K) <= 0;
  }
}
