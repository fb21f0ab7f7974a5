import { Clock } from '@acexy/service-kit/primitives';

interface Timer {
  at: number;
  run: () => void;
}

/** A clock that only moves when the test advances it. */
export class FakeClock extends Clock {
  private readonly timers = new Set<Timer>();

  constructor(
    private elapsed = 0,
    private readonly epoch = Date.UTC(2026, 0, 1),
  ) {
    super();
  }

  now(): number {
    return this.elapsed;
  }

  wallTime(): number {
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

  /** Number of pending timers, which reveals a timer without an owner. */
  get pending(): number {
    return this.timers.size;
  }

  /** Advances by `ms` and runs every timer at its time. */
  advance(ms: number): void {
    const end = this.elapsed + ms;
    for (let next = this.nextUntil(end); next; next = this.nextUntil(end)) this.fire(next);
    this.elapsed = end;
  }

  /** Like `advance`, but promises settle before and after each timer. */
  async advanceAndSettle(ms: number): Promise<void> {
    const end = this.elapsed + ms;
    await settle();
    for (let next = this.nextUntil(end); next; next = this.nextUntil(end)) {
      this.fire(next);
      await settle();
    }
    this.elapsed = end;
    await settle();
  }

  private nextUntil(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.timers) if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    return next;
  }

  private fire(timer: Timer): void {
    this.timers.delete(timer);
    this.elapsed = Math.max(this.elapsed, timer.at);
    timer.run();
  }
}

/** Runs all pending promises. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve));
}
