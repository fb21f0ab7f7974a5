/**
 * One start at a time on each engine: only when the earlier one's reply has told its infohash can it be known that the next content is
 * another one. Two sessions of one content on one engine kill each other.
 */
import { type EngineAddress, EngineTimeoutError } from '@acexy/engine-client';
import { type Clock, within } from '@acexy/service-kit/primitives';

export class EngineStartLock {
  private readonly tails = new Map<string, Promise<void>>();

  constructor(private readonly clock: Clock) {}

  /**
   * Runs `start` when no other one is under way on the engine.
   * @param waitMs for its turn: an engine that hangs holds up every start on it
   * @throws EngineTimeoutError when its turn does not come in time; the signal's reason when that comes first
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
      const onLimit = (): Error => new EngineTimeoutError(`the start before ours on ${engine}`, 'reply', waitMs);
      await within(this.clock, before, waitMs, onLimit, signal);
      return await start();
    } finally {
      done();
    }
  }
}
