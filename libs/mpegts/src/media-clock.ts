/** How much stream has gone by, in milliseconds of media: measured by the PCR, by the wall clock where there is none. */
import { CLOCK_27M, NONE, WRAP_27M, distance } from '@acexy/mpegts';

/** A greater step of the PCR, or one backwards, is a leap of the clock and no time that has passed (27 MHz). */
const MAX_STEP = 10 * CLOCK_27M;
export class MediaClock {
  #lastPcr = NONE;
  #elapsed = 0;
  #firstAt: number | null = null;
  #progressAt: number | null = null;

  constructor(private readonly now: () => number) {}

  /** Ticks of 27 MHz, or NONE. */
  get lastPcr(): number {
    return this.#lastPcr;
  }

  /** When the PCR last moved on (milliseconds of the clock); null before the first one. */
  get progressAt(): number | null {
    return this.#progressAt;
  }

  /** Milliseconds of media since the first packet. Never runs back. */
  get elapsedMs(): number {
    if (this.#lastPcr !== NONE) return this.#elapsed;
    return this.#firstAt === null ? 0 : this.now() - this.#firstAt;
  }

  /** The stream has begun. */
  start(): void {
    this.#firstAt ??= this.now();
  }

  /** True where the PCR has moved on, or is the first. */
  tick(pcr: number): boolean {
    const last = this.#lastPcr;
    const step = last === NONE ? 0 : distance(last, pcr, WRAP_27M);
    if (last === NONE) this.#elapsed = this.elapsedMs;
    else if (step > 0 && step <= MAX_STEP) this.#elapsed += (step * 1000) / CLOCK_27M;
    this.#lastPcr = pcr;
    if (last !== NONE && step === 0) return false;
    this.#progressAt = this.now();
    return true;
  }
}
