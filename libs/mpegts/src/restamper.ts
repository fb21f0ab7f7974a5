/**
 * Makes a piece of a stream continue another: one offset for PCR, PTS and DTS of all PIDs (a separate one would break lip sync) and, per PID, a
 * shift of the continuity counter. Works in place, so on a copy of one's own.
 */
import { NULL_PID, PACKET_SIZE, continuityCounter, hasPayload, pidOf, setContinuityCounter } from './packet.js';
import { type StreamSnapshot, StreamState } from './stream-state.js';
import {
  NONE,
  WRAP_27M,
  WRAP_90K,
  distance,
  dtsOffset,
  pesOffset,
  ptsOffset,
  readPcr,
  readTimestamp,
  wrapped,
  writePcr,
  writeTimestamp,
} from './timestamps.js';

/** Where the clocks of a piece of stream begin. */
export interface FirstTimestamps {
  /** The times of the first unit of each PID (ticks of 90 kHz). */
  readonly units: ReadonlyMap<number, { readonly dts: number; readonly pts: number }>;
  /** The first PCR (27 MHz), or NONE. */
  readonly pcr: number;
}

/**
 * The smallest shift (ticks of 90 kHz, 0 … 2^33) with which no clock of the new piece runs back: every PID goes on one unit after its last
 * DTS and its latest PTS or later, and the PCR after the last PCR. 0 where the two have no clock in common.
 */
export function spliceOffset(last: StreamSnapshot, next: FirstTimestamps): number {
  const shifts: number[] = [];
  for (const { pid, lastDts, latestPts, unit } of last.clocks) {
    const first = next.units.get(pid);
    if (first !== undefined) shifts.push(lastDts + unit - first.dts, latestPts + unit - first.pts);
  }
  if (last.pcr !== NONE && next.pcr !== NONE) shifts.push(Math.floor(last.pcr / 300) + 1 - Math.floor(next.pcr / 300));
  if (shifts.length === 0) return 0;
  const reference = shifts[0];
  const latest = shifts.reduce((most, shift) => Math.max(most, distance(reference, shift, WRAP_90K)), -WRAP_90K);
  return wrapped(reference + latest, WRAP_90K);
}

const UNFITTED = -1;

export class Restamper {
  readonly #state: StreamState;
  readonly #shifts = new Int8Array(0x2000).fill(UNFITTED);
  #offset = 0;

  /** `last` is where the stream to be continued ended. */
  constructor(last: StreamSnapshot) {
    this.#state = StreamState.from(last);
  }

  /** Where the outgoing stream is now. */
  snapshot(): StreamSnapshot {
    return this.#state.snapshot();
  }

  /** Another piece follows: its clocks are shifted by `offset` ticks of 90 kHz, its counters fitted PID by PID as they come. */
  splice(offset: number): void {
    this.#offset = offset;
    this.#shifts.fill(UNFITTED);
  }

  /** Rewrites the whole packets in `buffer[from, to)`. */
  restamp(buffer: Uint8Array, from: number, to: number): void {
    for (let at = from; at + PACKET_SIZE <= to; at += PACKET_SIZE) {
      const pid = pidOf(buffer, at);
      if (pid === NULL_PID) continue;
      this.#fitCounter(buffer, at, pid);
      if (this.#offset !== 0) shiftClocks(buffer, at, this.#offset);
      this.#state.observe(buffer, at);
    }
  }

  #fitCounter(buffer: Uint8Array, at: number, pid: number): void {
    const counter = continuityCounter(buffer, at);
    if (this.#shifts[pid] === UNFITTED) {
      const last = this.#state.counterOf(pid);
      const due = hasPayload(buffer, at) ? last + 1 : last; // a packet without payload repeats the counter
      this.#shifts[pid] = last === NONE ? 0 : (due - counter) & 0x0f;
    }
    setContinuityCounter(buffer, at, (counter + this.#shifts[pid]) & 0x0f);
  }
}

/** Adds `offset` (ticks of 90 kHz) to the PCR, PTS and DTS in the packet at `at`. */
export function shiftClocks(buffer: Uint8Array, at: number, offset: number): void {
  const pcr = readPcr(buffer, at);
  if (pcr !== NONE) writePcr(buffer, at, wrapped(pcr + offset * 300, WRAP_27M));
  const pes = pesOffset(buffer, at);
  if (pes === NONE) return;
  const end = at + PACKET_SIZE;
  shiftTimestamp(buffer, ptsOffset(buffer, pes, end), offset);
  shiftTimestamp(buffer, dtsOffset(buffer, pes, end), offset);
}

function shiftTimestamp(buffer: Uint8Array, at: number, offset: number): void {
  if (at !== NONE) writeTimestamp(buffer, at, wrapped(readTimestamp(buffer, at) + offset, WRAP_90K));
}
