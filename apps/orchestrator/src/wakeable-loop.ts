import type { Log } from '@acexy/service-kit';
import { setMaxListeners } from 'node:events';
import { pause } from './pause.js';

export interface WakeableLoopOptions {
  /** For the log. */
  name: string;
  /** Longest time between two rounds, in milliseconds. */
  intervalMs: number;
  /** Shortest time between two rounds, in milliseconds, however often the loop is woken. */
  gapMs?: number;
  /** One round; it may say in how many milliseconds it wants the next one, if that is sooner than the interval. */
  round: (signal: AbortSignal) => Promise<number | void>;
  log: Log;
}

/**
 * Runs a round every interval and at once when woken. Wake-ups that come together become one round, one that comes during a round
 * starts another after it, and a round that throws is logged and tried again with the next interval.
 */
export class WakeableLoop {
  private readonly end = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private wanted = false;
  private running: Promise<void> | null = null;
  private started = false;
  private lastRoundAt = -Infinity;

  constructor(private readonly options: WakeableLoopOptions) {
    // A round may do many things at the same time, each of which ends with the loop.
    setMaxListeners(0, this.end.signal);
  }

  start(): void {
    this.started = true;
    this.wake();
  }

  wake(): void {
    if (!this.started || this.end.signal.aborted) return;
    this.wanted = true;
    this.running ??= this.run();
  }

  /** Ends the loop; resolves when the round under way is over. */
  async stop(): Promise<void> {
    this.end.abort();
    clearTimeout(this.timer);
    await this.running;
  }

  private async run(): Promise<void> {
    let nextInMs = this.options.intervalMs;
    do {
      clearTimeout(this.timer);
      await this.keepGap();
      if (this.end.signal.aborted) break;
      this.wanted = false;
      nextInMs = await this.oneRound();
      this.lastRoundAt = performance.now();
    } while (this.wanted && !this.end.signal.aborted);
    this.running = null;
    if (!this.end.signal.aborted) this.timer = setTimeout(() => this.wake(), nextInMs);
  }

  /** What happens in this very moment, or within the gap, belongs to one round. */
  private async keepGap(): Promise<void> {
    const restMs = this.lastRoundAt + (this.options.gapMs ?? 0) - performance.now();
    if (restMs > 0) await pause(restMs, this.end.signal);
    else await Promise.resolve();
  }

  private async oneRound(): Promise<number> {
    const { name, intervalMs, round, log } = this.options;
    try {
      const soonerMs = await round(this.end.signal);
      return soonerMs === undefined ? intervalMs : Math.max(0, Math.min(intervalMs, soonerMs));
    } catch (error) {
      if (!this.end.signal.aborted) log.error('a round failed, the next one tries again', { loop: name, error });
      return intervalMs;
    }
  }
}
