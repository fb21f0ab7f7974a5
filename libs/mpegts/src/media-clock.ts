/** Measures how much stream has passed, in milliseconds of media: by the PCR, or by the wall clock until there is one. */
import { CLOCK_27M, NONE } from './packet.js';
import { WRAP_27M, distance } from './timestamps.js';

/** A larger step of the PCR, or one back, is a discontinuity and not counted as time (27 MHz). */
const MAX_STEP = 10 * CLOCK_27M;

export class MediaClock {
  /** Ticks of 27 MHz, or NONE. */
  lastPcr = NONE;
  #elapsed = 0;
  #startedAt: number | null = null;
  /** When the PCR last changed (milliseconds of the clock); null before the first PCR. */
  progressAt: number | null = null;

  constructor(private readonly now: () => number) {}

  /** Milliseconds of media since the first packet. Never decreases. */
  get elapsedMs(): number {
    if (this.lastPcr !== NONE) return this.#elapsed;
    return this.#startedAt === null ? 0 : this.now() - this.#startedAt;
  }

  /** The stream has started; later calls do nothing. */
  start(): void {
    this.#startedAt ??= this.now();
  }

  /** Takes the next PCR. True if it is the first one or differs from the last. */
  tick(pcr: number): boolean {
    const last = this.lastPcr;
    const step = last === NONE ? 0 : distance(last, pcr, WRAP_27M);
    if (last === NONE) this.#elapsed = this.elapsedMs;
    else if (step > 0 && step <= MAX_STEP) this.#elapsed += (step * 1000) / CLOCK_27M;
    this.lastPcr = pcr;
    if (last !== NONE && step === 0) return false;
    this.progressAt = this.now();
    return true;
  }
}
