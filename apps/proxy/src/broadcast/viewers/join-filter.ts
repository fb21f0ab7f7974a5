/** Keeps back the middle of units that a joining viewer has not seen the beginning of. */
import { PACKET_SIZE, PAT_PID, type Program, hasPayload, pidOf, startsUnit } from '@acexy/mpegts';

/**
 * Streams that seldom begin a unit (subtitles, cue messages) are not waited for beyond this many bytes: until then the viewer's bytes are
 * copies of its own. A PES of sound begins every 20 to 300 ms.
 */
const MAX_BYTES = 1024 * 1024;

/** A viewer that could not wait for an entry point: its picture begins at the next one. */
export interface LateEntry {
  /** Whether an entry point lies at this place of the stream. */
  isEntry(position: number): boolean;
  /** Units after which it gets the picture as it is: there may be no entry points at all. */
  readonly maxUnits: number;
}

export class JoinFilter {
  readonly #waitingFor: Set<number>;
  readonly #accessPid: number;
  #bytesSeen = 0;
  #lateEntry: LateEntry | null;
  #unitsSeen = 0;

  /** Every stream of the program waits for its next unit, a table for its next section; a viewer without a late entry begins at an entry point. */
  constructor(program: Program, lateEntry: LateEntry | null) {
    this.#waitingFor = new Set([PAT_PID, program.pat.pmtPid, ...program.pmt.streams.map((stream) => stream.pid)]);
    this.#waitingFor.delete(program.accessPid);
    this.#accessPid = program.accessPid;
    this.#lateEntry = lateEntry;
  }

  /** Everything has begun; all later packets pass. */
  get done(): boolean {
    return this.#waitingFor.size === 0 && this.#lateEntry === null;
  }

  /** Whether the packet at `at`, which lies at `position` in the stream, goes to the viewer. Packets must be asked for in order, each once. */
  passes(buffer: Buffer, at: number, position: number): boolean {
    if (this.done) return true;
    this.#bytesSeen += PACKET_SIZE;
    if (this.#bytesSeen > MAX_BYTES) this.#waitingFor.clear();
    const pid = pidOf(buffer, at);
    if (pid === this.#accessPid) return this.#passesPicture(buffer, at, position);
    if (!this.#waitingFor.has(pid)) return true;
    if (!hasPayload(buffer, at)) return true; // a clock reference or stuffing; the middle of nothing
    if (!startsUnit(buffer, at)) return false;
    this.#waitingFor.delete(pid);
    return true;
  }
  #passesPicture(buffer: Buffer, at: number, position: number): boolean {
    if (this.#lateEntry === null) return true;
    if (startsUnit(buffer, at)) {
      if (this.#lateEntry.isEntry(position) || this.#unitsSeen >= this.#lateEntry.maxUnits) {
        this.#lateEntry = null;
        return true;
      }
      this.#unitsSeen += 1;
    }
    return !hasPayload(buffer, at);
  }
}
