/**
 * Rewrites packets so that they continue another stream: PIDs, one offset for all clocks, and per PID a shift of the continuity counter, which is
 * set by the first packet that is passed on. Works in place, so pass it a copy.
 */
import type { ContinuitySnapshot } from './continuity-state.js';
import { NONE, NULL_PID, continuityCounter, hasPayload, pidOf, setContinuityCounter, setPid } from './packet.js';
import { shiftTimestamps } from './timestamps.js';

export interface RewriteRule {
  /** Ticks of 90 kHz, 0 … 2^33, added to PCR, PTS and DTS. */
  readonly offset: number;
  /** PIDs that change; NULL_PID removes the stream. */
  readonly pids: ReadonlyMap<number, number>;
}

export const NO_CHANGE: RewriteRule = { offset: 0, pids: new Map() };

export class PacketRewriter {
  readonly #pids = new Uint16Array(0x2000);
  /** By source PID; NONE until its next packet sets it. */
  readonly #shifts = new Int8Array(0x2000).fill(NONE);
  /** Last counter by outgoing PID. */
  readonly #last = new Int8Array(0x2000).fill(NONE);

  /** `last`: counters at the end of the stream to continue, by outgoing PID. */
  constructor(
    readonly rule: RewriteRule,
    last: ContinuitySnapshot['counters'],
  ) {
    for (let pid = 0; pid < this.#pids.length; pid += 1) this.#pids[pid] = pid;
    for (const [from, to] of rule.pids) this.#pids[from] = to;
    for (const [pid, counter] of last) this.#last[pid] = counter;
  }

  /** NULL_PID: the stream is removed. */
  outgoingPid(pid: number): number {
    return this.#pids[pid];
  }

  /** Rewrites everything but the counter. */
  translate(buffer: Uint8Array, at: number): void {
    const pid = pidOf(buffer, at);
    if (this.#pids[pid] !== pid) setPid(buffer, at, this.#pids[pid]);
    if (this.rule.offset !== 0) shiftTimestamps(buffer, at, this.rule.offset);
  }

  /** Rewrites the whole packet. Packets of a PID must come in order. */
  rewrite(buffer: Uint8Array, at: number): void {
    const source = pidOf(buffer, at);
    if (source === NULL_PID) return;
    const counter = continuityCounter(buffer, at);
    this.translate(buffer, at);
    if (this.#shifts[source] === NONE) {
      const last = this.#last[this.#pids[source]];
      const due = hasPayload(buffer, at) ? last + 1 : last; // a packet without payload repeats the counter
      this.#shifts[source] = last === NONE ? 0 : (due - counter) & 0x0f;
    }
    const shifted = (counter + this.#shifts[source]) & 0x0f;
    this.#last[this.#pids[source]] = shifted;
    setContinuityCounter(buffer, at, shifted);
  }

  /** The packet at `at` is dropped: the next packet of its PID gets the counter that follows the last one passed on. */
  drop(buffer: Uint8Array, at: number): void {
    // Not counted, because dropped packets may be duplicates.
    if (hasPayload(buffer, at)) this.#shifts[pidOf(buffer, at)] = NONE;
  }
}
