/** How far a transport stream has come: what a splice has to go on from so that a decoder sees one stream. */
import { NULL_PID, PACKET_SIZE, continuityCounter, pidOf } from './packet.js';
import { NONE, WRAP_90K, distance, dtsOffset, pesOffset, ptsOffset, readPcr, readTimestamp } from './timestamps.js';

const PID_COUNT = 0x2000;
/** Steps of the DTS remembered per PID; the median of them is the duration of a unit. */
const STEPS_KEPT = 5;
/** A longer step is a hole or a leap and says nothing about the duration of a unit (ticks of 90 kHz). */
const MAX_UNIT = 90_000;
/** Where no step has been seen yet: a frame at 25/s. */
const DEFAULT_UNIT = 3_600;

/** The clock of one PID. Ticks of 90 kHz. */
export interface PidClock {
  readonly pid: number;
  readonly lastDts: number;
  /** Usual distance of two units. */
  readonly unit: number;
}

/** A copy of the state at one place of the stream. */
export interface StreamSnapshot {
  readonly counters: readonly { readonly pid: number; readonly counter: number }[];
  readonly clocks: readonly PidClock[];
  /** Ticks of 27 MHz, or NONE. */
  readonly pcr: number;
}

interface MutableClock {
  lastDts: number;
  readonly steps: number[];
}

/** The DTS (the PTS where it has none) of the PES that starts in this packet, or NONE. */
export function decodingTimeOf(buffer: Uint8Array, at: number): number {
  const pes = pesOffset(buffer, at);
  if (pes === NONE) return NONE;
  const dts = dtsOffset(buffer, pes, at + PACKET_SIZE);
  const offset = dts === NONE ? ptsOffset(buffer, pes, at + PACKET_SIZE) : dts;
  return offset === NONE ? NONE : readTimestamp(buffer, offset);
}

/** Follows the counters and clocks of every PID. Allocates only for a PID that is new. */
export class StreamState {
  readonly #counters = new Int8Array(PID_COUNT).fill(NONE);
  readonly #pids: number[] = [];
  readonly #clocks = new Map<number, MutableClock>();
  #pcr = NONE;

  static from(snapshot: StreamSnapshot): StreamState {
    const state = new StreamState();
    for (const { pid, counter } of snapshot.counters) state.#setCounter(pid, counter);
    for (const { pid, lastDts, unit } of snapshot.clocks) state.#clocks.set(pid, { lastDts, steps: [unit] });
    state.#pcr = snapshot.pcr;
    return state;
  }

  /** Counter of the last packet of this PID, or NONE. */
  counterOf(pid: number): number {
    return this.#counters[pid];
  }

  observe(buffer: Uint8Array, at: number): void {
    const pid = pidOf(buffer, at);
    if (pid === NULL_PID) return;
    this.#setCounter(pid, continuityCounter(buffer, at));
    const pcr = readPcr(buffer, at);
    if (pcr !== NONE) this.#pcr = pcr;
    const dts = decodingTimeOf(buffer, at);
    if (dts !== NONE) this.#observeDts(pid, dts);
  }

  snapshot(): StreamSnapshot {
    return {
      counters: this.#pids.map((pid) => ({ pid, counter: this.#counters[pid] })),
      clocks: [...this.#clocks].map(([pid, { lastDts, steps }]) => ({ pid, lastDts, unit: median(steps) })),
      pcr: this.#pcr,
    };
  }

  #setCounter(pid: number, counter: number): void {
    if (this.#counters[pid] === NONE) this.#pids.push(pid);
    this.#counters[pid] = counter;
  }

  #observeDts(pid: number, dts: number): void {
    const clock = this.#clocks.get(pid);
    if (clock === undefined) {
      this.#clocks.set(pid, { lastDts: dts, steps: [] });
      return;
    }
    const step = distance(clock.lastDts, dts, WRAP_90K);
    if (step > 0 && step <= MAX_UNIT) {
      clock.steps.push(step);
      if (clock.steps.length > STEPS_KEPT) clock.steps.shift();
    }
    clock.lastDts = dts;
  }
}

function median(steps: readonly number[]): number {
  if (steps.length === 0) return DEFAULT_UNIT;
  return [...steps].sort((left, right) => left - right)[steps.length >> 1];
}
