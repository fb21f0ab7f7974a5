import { Clock } from './clock.js';

/** Time that passes when a test says so. */
export class FakeClock extends Clock {
  constructor(
    private elapsed = 0,
    private readonly epoch = Date.UTC(2026, 0, 1),
  ) {
    super();
  }

  now(): number {
    return this.epoch + this.elapsed;
  }

  monotonic(): number {
    return this.elapsed;
  }

  advance(ms: number): void {
    this.elapsed += ms;
  }
}
