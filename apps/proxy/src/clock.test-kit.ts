import { Clock } from './clock.js';

interface Timer {
  at: number;
  run: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock extends Clock {
  private elapsed = 0;
  private readonly timers = new Set<Timer>();
  private readonly epoch = Date.UTC(2026, 0, 1);

  now(): number {
    return this.elapsed;
  }

  time(): number {
    return this.epoch + this.elapsed;
  }

  setTimeout(run: () => void, ms: number): Timer {
    const timer = { at: this.elapsed + Math.max(0, ms), run };
    this.timers.add(timer);
    return timer;
  }

  clearTimeout(handle: unknown): void {
    this.timers.delete(handle as Timer);
  }

  /** Timers that still wait: what nobody owns any more shows here. */
  get pending(): number {
    return this.timers.size;
  }

  /** Moves on by `ms`, running every timer at its moment and letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.elapsed + ms;
    await settle();
    for (;;) {
      const next = [...this.timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers.delete(next);
      this.elapsed = Math.max(this.elapsed, next.at);
      next.run();
      await settle();
    }
    this.elapsed = end;
    await settle();
  }
}

/** Lets everything that is already decided happen. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve));
}
