/** Drops the rest of units (PES packets, sections) whose start is missing, so that every PID starts with a whole unit. */
import { PACKET_SIZE, hasPayload, startsUnit } from './packet.js';

export class UnitStartFilter {
  readonly #waiting: Set<number>;
  #bytesSeen = 0;

  /**
   * `pids`: those to hold back until a unit starts; all others pass. After `maxBytes` no PID is held back, because subtitles and cue
   * messages may start a unit only every few minutes.
   */
  constructor(
    pids: Iterable<number>,
    private readonly maxBytes = Infinity,
  ) {
    this.#waiting = new Set(pids);
  }

  /** All packets pass from now on. */
  get done(): boolean {
    return this.#waiting.size === 0;
  }

  isWaitingFor(pid: number): boolean {
    return this.#waiting.has(pid);
  }

  /** Whether the packet of `pid` at `at` passes. Call it once per packet, in order. */
  passes(buffer: Uint8Array, at: number, pid: number): boolean {
    this.#bytesSeen += PACKET_SIZE;
    if (this.#bytesSeen > this.maxBytes) this.#waiting.clear();
    if (!this.#waiting.has(pid) || !hasPayload(buffer, at)) return true; // without payload: a PCR or stuffing
    return startsUnit(buffer, at) && this.#waiting.delete(pid);
  }
}
