/**
 * Allows one start at a time on each engine. Before the reply to a start its infohash is unknown, so the next start may be for the same content, and two
 * sessions of one content on one engine end each other.
 */
import { type EngineAddress, EngineTimeoutError } from '@acexy/engine-client';
import { type Clock, within } from '@acexy/service-kit/primitives';

export class EngineStartLock {
  private readonly tails = new Map<string, Promise<void>>();

  constructor(private readonly clock: Clock) {}

  /**
   * Runs `start` when no other start is running on the engine.
   * @param waitMs longest wait for the lock; an engine that hangs blocks every start on it
   * @throws EngineTimeoutError when the wait is over; the signal's reason when the signal aborts first
   */
  async exclusive<T>({ host, port }: EngineAddress, waitMs: number, signal: AbortSignal, start: () => Promise<T>): Promise<T> {
    const engine = `${host}:${port}`;
    const before = this.tails.get(engine) ?? Promise.resolve();
    let done: () => void = () => undefined;
    const own = new Promise<void>((resolve) => (done = resolve));
    const tail = before.then(() => own);
    this.tails.set(engine, tail);
    void tail.then(() => {
      if (this.tails.get(engine) === tail) this.tails.delete(engine);
    });
    try {
      const onLimit = (): Error => new EngineTimeoutError(`an earlier start on ${engine}`, 'reply', waitMs);
      await within(this.clock, before, waitMs, onLimit, signal);
      return await start();
    } finally {
      done();
    }
  }
}
