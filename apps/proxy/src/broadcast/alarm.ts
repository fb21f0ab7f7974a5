/** One timer with one owner: set at most once at a time, and gone when cleared. */
import type { Clock } from './clock.js';

export class Alarm {
  #handle: unknown = null;

  constructor(
    private readonly clock: Clock,
    private readonly ring: () => void,
  ) {}

  /** Rings once in `ms` milliseconds. One that is set already stays as it is. */
  set(ms: number): void {
    if (this.#handle !== null) return;
    this.#handle = this.clock.setTimeout(() => {
      this.#handle = null;
      this.ring();
    }, ms);
  }

  clear(): void {
    if (this.#handle === null) return;
    this.clock.clearTimeout(this.#handle);
    this.#handle = null;
  }
}
