/** How far a transport stream has come: what a splice has to go on from so that a decoder sees one stream. */
import { NULL_PID, PACKET_SIZE, continuityCounter, hasPayload, pidOf } from './packet.js';
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
  /** The latest PTS: with reordered pictures not that of the last unit. */
  readonly latestPts: number;
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
  latestPts: number;
  readonly steps: number[];
}

/** The DTS (the PTS where it has none) of the PES that starts in this packet, or NONE. */
export function decodingTimeOf(buffer: Uint8Array, at: number): number {
  const pes = pesOffset(buffer, at);
  if (pes === NONE) return NONE;
  const offset = dtsOffset(buffer, pes, at + PACKET_SIZE);
  return offset === NONE ? presentationTimeOf(buffer, at) : readTimestamp(buffer, offset);
}

/** The PTS of the PES that starts in this packet, or NONE. */
export function presentationTimeOf(buffer: Uint8Array, at: number): number {
  const pes = pesOffset(buffer, at);
  const offset = pes === NONE ? NONE : ptsOffset(buffer, pes, at + PACKET_SIZE);
  return offset === NONE ? NONE : readTimestamp(buffer, offset);
}

/** Follows the counters and clocks of every PID. Allocates only for a PID that is new. */
export class StreamState {
  readonly #counters = new Int8Array(PID_COUNT).fill(NONE);
  readonly #pids: number[] = [];
  readonly #clocks = new Map<number, MutableClock>();
  #pcr = NONE;
  #breaks = 0;

  static from(snapshot: StreamSnapshot): StreamState {
    const state = new StreamState();
    for (const { pid, counter } of snapshot.counters) state.#setCounter(pid, counter);
    for (const { pid, lastDts, latestPts, unit } of snapshot.clocks) state.#clocks.set(pid, { lastDts, latestPts, steps: [unit] });
    state.#pcr = snapshot.pcr;
    return state;
  }

  /** Counter of the last packet of this PID, or NONE. */
  counterOf(pid: number): number {
    return this.#counters[pid];
  }

  /** How often a counter did not run on: packets that are missing. Packets sent twice do not count. */
  get breaks(): number {
    return this.#breaks;
  }

  observe(buffer: Uint8Array, at: number): void {
    const pid = pidOf(buffer, at);
    if (pid === NULL_PID) return;
    const counter = continuityCounter(buffer, at);
    const last = this.#counters[pid];
    if (last !== counter && last !== NONE && !(hasPayload(buffer, at) && counter === ((last + 1) & 0x0f))) this.#breaks += 1;
    this.#setCounter(pid, counter);
    const pcr = readPcr(buffer, at);
    if (pcr !== NONE) this.#pcr = pcr;
    const dts = decodingTimeOf(buffer, at);
    if (dts !== NONE) this.#observeUnit(pid, dts, presentationTimeOf(buffer, at));
  }

  snapshot(): StreamSnapshot {
    return {
      counters: this.#pids.map((pid) => ({ pid, counter: this.#counters[pid] })),
      clocks: [...this.#clocks].map(([pid, { lastDts, latestPts, steps }]) => ({ pid, lastDts, latestPts, unit: median(steps) })),
      pcr: this.#pcr,
    };
  }

  #setCounter(pid: number, counter: number): void {
    if (this.#counters[pid] === NONE) this.#pids.push(pid);
    this.#counters[pid] = counter;
  }

  #observeUnit(pid: number, dts: number, pts: number): void {
    const clock = this.#clocks.get(pid);
    if (clock === undefined) {
      this.#clocks.set(pid, { lastDts: dts, latestPts: pts, steps: [] });
      return;
    }
    const step = distance(clock.lastDts, dts, WRAP_90K);
    const runsOn = step > 0 && step <= MAX_UNIT;
    if (runsOn) {
      clock.steps.push(step);
      if (clock.steps.length > STEPS_KEPT) clock.steps.shift();
    }
    if (!runsOn || distance(clock.latestPts, pts, WRAP_90K) > 0) clock.latestPts = pts;
    clock.lastDts = dts;
  }
}

function median(steps: readonly number[]): number {
  if (steps.length === 0) return DEFAULT_UNIT;
  return [...steps].sort((left, right) => left - right)[steps.length >> 1];
}
