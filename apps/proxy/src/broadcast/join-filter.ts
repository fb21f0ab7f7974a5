/** Keeps back the middle of units that a joining viewer has not seen the beginning of. */
import { PAT_PID, type Program, hasPayload, pidOf, startsUnit } from '@acexy/mpegts';

/**
 * Streams that seldom begin a unit (subtitles, cue messages) are not waited for beyond this many bytes: until then the viewer's bytes are
 * copies of its own. A PES of sound begins every 20 to 300 ms.
 */
const MAX_BYTES = 1024 * 1024;

export class JoinFilter {
  readonly #waitingFor: Set<number>;
  #bytesSeen = 0;

  /** For a viewer that joins at a unit of the access PID: every other stream of the program waits for its next unit, a table for its next section. */
  constructor(program: Program) {
    this.#waitingFor = new Set([PAT_PID, program.pat.pmtPid, ...program.pmt.streams.map((stream) => stream.pid)]);
    this.#waitingFor.delete(program.accessPid);
  }

  /** Everything has begun; all later packets pass. */
  get done(): boolean {
    return this.#waitingFor.size === 0;
  }

  /** Whether the packet at `at` goes to the viewer. Packets must be asked for in order, each once. */
  passes(buffer: Buffer, at: number, size: number): boolean {
    if (this.done) return true;
    this.#bytesSeen += size;
    if (this.#bytesSeen > MAX_BYTES) this.#waitingFor.clear();
    const pid = pidOf(buffer, at);
    if (!this.#waitingFor.has(pid)) return true;
    if (!hasPayload(buffer, at)) return true; // a clock reference or stuffing; the middle of nothing
    if (!startsUnit(buffer, at)) return false;
    this.#waitingFor.delete(pid);
    return true;
  }
}
