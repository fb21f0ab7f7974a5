/**
 * Rewrites the packets of one source so that they continue a stream that another source began: PIDs, one offset for all clocks, and per PID a
 * shift of the continuity counter, fitted to the first packet that is passed on.
 */
import { NULL_PID, continuityCounter, hasPayload, pidOf, setContinuityCounter, setPid } from './packet.js';
import type { StreamSnapshot } from './stream-state.js';
import { shiftClocks } from './restamper.js';

const UNFITTED = -1;
const UNKNOWN = -1;

export interface RewriteRule {
  /** Ticks of 90 kHz, 0 … 2^33, added to PCR, PTS and DTS. */
  readonly offset: number;
  /** PIDs that get another one, NULL_PID to leave the stream out. */
  readonly pids: ReadonlyMap<number, number>;
}

export const NO_CHANGE: RewriteRule = { offset: 0, pids: new Map() };

export class SourceRewriter {
  readonly #pids = new Uint16Array(0x2000);
  readonly #shifts = new Int8Array(0x2000).fill(UNFITTED);
  readonly #last = new Int8Array(0x2000).fill(UNKNOWN);

  /** `last`: counters where the outgoing stream ended, by outgoing PID. */
  constructor(
    readonly rule: RewriteRule,
    last: StreamSnapshot['counters'],
  ) {
    for (let pid = 0; pid < this.#pids.length; pid += 1) this.#pids[pid] = pid;
    for (const [from, to] of rule.pids) this.#pids[from] = to;
    for (const { pid, counter } of last) this.#last[pid] = counter;
  }

  /** NULL_PID: the stream is left out. */
  outgoingPid(pid: number): number {
    return this.#pids[pid];
  }

  /** Everything but the counter, in place. */
  translate(buffer: Uint8Array, at: number): void {
    const pid = pidOf(buffer, at);
    if (this.#pids[pid] !== pid) setPid(buffer, at, this.#pids[pid]);
    if (this.rule.offset !== 0) shiftClocks(buffer, at, this.rule.offset);
  }

  /** The whole packet, in place. Packets of a PID must come in order. */
  rewrite(buffer: Uint8Array, at: number): void {
    const source = pidOf(buffer, at);
    if (source === NULL_PID) return;
    const counter = continuityCounter(buffer, at);
    this.translate(buffer, at);
    if (this.#shifts[source] === UNFITTED) {
      const last = this.#last[this.#pids[source]];
      const due = hasPayload(buffer, at) ? last + 1 : last; // a packet without payload repeats the counter
      this.#shifts[source] = last === UNKNOWN ? 0 : (due - counter) & 0x0f;
    }
    const fitted = (counter + this.#shifts[source]) & 0x0f;
    this.#last[this.#pids[source]] = fitted;
    setContinuityCounter(buffer, at, fitted);
  }

  /** The packet at `at` is not passed on: the counters of those that follow close up. */
  leaveOut(buffer: Uint8Array, at: number): void {
    // Fitted anew rather than counted: a packet may have been sent twice.
    if (hasPayload(buffer, at)) this.#shifts[pidOf(buffer, at)] = UNFITTED;
  }
}
