/** The counters and clocks at one position of a transport stream: what a splice must continue from so that a decoder sees one stream. */
import { NONE, NULL_PID, PACKET_SIZE, continuityCounter, hasAdaptationField, hasPayload, pidOf, startsUnit } from './packet.js';
import { WRAP_90K, distance, readDts, readPcr, readPts } from './timestamps.js';

const PID_COUNT = 0x2000;
/** DTS steps kept per PID; their median is the duration of a unit. */
const STEPS_KEPT = 5;
/** A longer step is a gap or a discontinuity and not the duration of a unit (ticks of 90 kHz). */
const MAX_UNIT = 90_000;
/** Assumed until a step has been seen: a frame at 25/s. */
const DEFAULT_UNIT = 3_600;

/** The clock of one PID. Ticks of 90 kHz. */
export interface PidClock {
  readonly pid: number;
  readonly lastDts: number;
  /** The highest PTS so far. With reordered pictures the last unit has a lower one. */
  readonly latestPts: number;
  /** Usual duration of a unit (one PES packet: a picture or some audio frames). */
  readonly unit: number;
}

/** An immutable copy of the state. */
export interface ContinuitySnapshot {
  /** Last continuity counter by PID. */
  readonly counters: ReadonlyMap<number, number>;
  readonly clocks: readonly PidClock[];
  /** Ticks of 27 MHz, or NONE. */
  readonly pcr: number;
}

interface MutableClock {
  lastDts: number;
  latestPts: number;
  readonly steps: number[];
}

/** Tracks the counters and clocks of every PID. Allocates only when a new PID appears. */
export class ContinuityState {
  readonly #counters = new Int8Array(PID_COUNT).fill(NONE);
  readonly #pids: number[] = [];
  readonly #clocks = new Map<number, MutableClock>();
  #pcr = NONE;
  /** Counter errors so far: packets are missing. A duplicate packet is no error. */
  breaks = 0;

  static from(snapshot: ContinuitySnapshot): ContinuityState {
    const state = new ContinuityState();
    for (const [pid, counter] of snapshot.counters) state.#setCounter(pid, counter);
    for (const { pid, lastDts, latestPts, unit } of snapshot.clocks) state.#clocks.set(pid, { lastDts, latestPts, steps: [unit] });
    state.#pcr = snapshot.pcr;
    return state;
  }

  /** Reads the whole packets in `buffer[from, to)`. */
  observe(buffer: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at += PACKET_SIZE) {
      const pid = pidOf(buffer, at);
      if (pid === NULL_PID) continue;
      const counter = continuityCounter(buffer, at);
      const last = this.#counters[pid];
      if (last === counter) {
        // a duplicate packet, or one without payload
      } else if (last === NONE) this.#pids.push(pid);
      else if (counter !== ((last + 1) & 0x0f) || !hasPayload(buffer, at)) this.breaks += 1;
      this.#counters[pid] = counter;
      if (startsUnit(buffer, at) || hasAdaptationField(buffer, at)) this.#observeTimes(buffer, at, pid);
    }
  }

  #observeTimes(buffer: Uint8Array, at: number, pid: number): void {
    const pcr = readPcr(buffer, at);
    if (pcr !== NONE) this.#pcr = pcr;
    const dts = readDts(buffer, at);
    if (dts !== NONE) this.#observeUnit(pid, dts, readPts(buffer, at));
  }

  snapshot(): ContinuitySnapshot {
    return {
      counters: new Map(this.#pids.map((pid) => [pid, this.#counters[pid]])),
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
    const isContinuous = step > 0 && step <= MAX_UNIT;
    if (isContinuous) {
      clock.steps.push(step);
      if (clock.steps.length > STEPS_KEPT) clock.steps.shift();
    }
    if (!isContinuous || distance(clock.latestPts, pts, WRAP_90K) > 0) clock.latestPts = pts;
    clock.lastDts = dts;
  }
}

function median(steps: readonly number[]): number {
  if (steps.length === 0) return DEFAULT_UNIT;
  return [...steps].sort((left, right) => left - right)[steps.length >> 1];
}
