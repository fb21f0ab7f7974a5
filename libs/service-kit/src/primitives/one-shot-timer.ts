import type { Clock } from './clock.js';

/** One timer with one owner: set at most once at a time, and gone when cleared. */
export class OneShotTimer {
  #handle: unknown = null;

  constructor(
    private readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>,
    private readonly fire: () => void,
  ) {}

  /** Fires once in `ms` milliseconds. A timer that is already set stays as it is. */
  set(ms: number): void {
    if (this.#handle !== null) return;
    this.#handle = this.clock.setTimeout(() => {
      this.#handle = null;
      this.fire();
    }, ms);
  }

  clear(): void {
    if (this.#handle === null) return;
    this.clock.clearTimeout(this.#handle);
    this.#handle = null;
  }
}
