/**
 * At most {@link MAX_STARTS} starts wait for the reply of one engine. Starts of different contents do not wait for each other: one that the engine
 * never answers must not delay the channels of other viewers.
 */
import type { EngineAddress } from '@acexy/engine-client';
import { type Clock, within } from '@acexy/service-kit/primitives';
import { EngineBusyError } from '../errors.js';

/** Less than the connections that the engine client opens to one engine, so that no request waits for one. */
export const MAX_STARTS = 16;

interface EngineQueue {
  running: number;
  /** Give a waiting start its place. */
  readonly waiting: (() => void)[];
}

export class EngineStartLimit {
  private readonly engines = new Map<string, EngineQueue>();

  constructor(private readonly clock: Clock) {}

  /**
   * Runs `start` when the engine has a place for it. `start` measures its own time limit: the engine is not asked before.
   * @param waitMs longest wait for a place
   * @throws EngineBusyError when the wait is over; the signal's reason when the signal aborts first
   */
  async run<T>({ host, port }: EngineAddress, waitMs: number, signal: AbortSignal, start: () => Promise<T>): Promise<T> {
    const engine = `${host}:${port}`;
    await this.enter(engine, waitMs, signal);
    try {
      signal.throwIfAborted();
      return await start();
    } finally {
      this.leave(engine);
    }
  }

  private async enter(engine: string, waitMs: number, signal: AbortSignal): Promise<void> {
    const queue = this.engines.get(engine) ?? { running: 0, waiting: [] };
    this.engines.set(engine, queue);
    if (queue.running < MAX_STARTS) {
      queue.running += 1;
      return;
    }
    let giveTurn: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => (giveTurn = resolve));
    queue.waiting.push(giveTurn);
    try {
      const onLimit = (): Error => new EngineBusyError(`not asked: ${MAX_STARTS} earlier starts had no reply yet`);
      await within(this.clock, turn, waitMs, onLimit, signal);
    } catch (error) {
      const index = queue.waiting.indexOf(giveTurn);
      if (index >= 0) queue.waiting.splice(index, 1);
      // It got its place at the same moment.
      else this.leave(engine);
      throw error;
    }
  }

  private leave(engine: string): void {
    const queue = this.engines.get(engine)!;
    const next = queue.waiting.shift();
    if (next) next();
    else {
      queue.running -= 1;
      if (queue.running === 0) this.engines.delete(engine);
    }
  }
}
