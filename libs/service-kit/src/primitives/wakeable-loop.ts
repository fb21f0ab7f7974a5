import { setMaxListeners } from 'node:events';
import type { Log } from '../logging/log.js';
import { SystemClock } from './clock.js';
import { pause } from './deadline.js';
import { OneShotTimer } from './one-shot-timer.js';

export interface WakeableLoopOptions {
  /** Name in the log. */
  name: string;
  /** Longest time between two rounds, in milliseconds. */
  intervalMs: number;
  /** Shortest time between two rounds, in milliseconds, however often the loop is woken. Default: 0. */
  gapMs?: number;
  /** One round. It may return the milliseconds until the next round; the interval is the upper limit. */
  round: (signal: AbortSignal) => Promise<number | void>;
  log: Log;
}

/**
 * Runs a round every interval, and at once when woken. Simultaneous wake-ups cause one round; a wake-up during a round causes another one
 * after it. A round that throws is logged and repeated at the next interval.
 */
export class WakeableLoop {
  private readonly end = new AbortController();
  private readonly clock = new SystemClock();
  private readonly timer = new OneShotTimer(this.clock, () => this.wake());
  private wakeRequested = false;
  private running: Promise<void> | null = null;
  private started = false;
  private lastRoundAt = -Infinity;

  constructor(private readonly options: WakeableLoopOptions) {
    // A round may start any number of actions that listen to the signal.
    setMaxListeners(0, this.end.signal);
  }

  start(): void {
    this.started = true;
    this.wake();
  }

  wake(): void {
    if (!this.started || this.end.signal.aborted) return;
    this.wakeRequested = true;
    this.running ??= this.run();
  }

  /** Stops the loop; resolves when the current round has ended. */
  async stop(): Promise<void> {
    this.end.abort();
    this.timer.clear();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.end;
    let nextInMs = this.options.intervalMs;
    do {
      this.timer.clear();
      const gapMs = this.lastRoundAt + (this.options.gapMs ?? 0) - this.clock.now();
      // At least one turn of the event loop, so that simultaneous wake-ups share a round.
      await (gapMs > 0 ? pause(this.clock, gapMs, signal) : Promise.resolve());
      if (signal.aborted) break;
      this.wakeRequested = false;
      nextInMs = await this.oneRound();
      this.lastRoundAt = this.clock.now();
    } while (this.wakeRequested && !signal.aborted);
    this.running = null;
    if (!signal.aborted) this.timer.set(nextInMs);
  }

  private async oneRound(): Promise<number> {
    const { name, intervalMs, round, log } = this.options;
    try {
      return Math.max(0, Math.min(intervalMs, (await round(this.end.signal)) ?? intervalMs));
    } catch (error) {
      if (!this.end.signal.aborted) log.error('loop round failed', { loop: name, error });
      return intervalMs;
    }
  }
}
