/**
 * One start at a time on each engine: only when the earlier one's reply has told its infohash can it be known that the next content is
 * another one. Two sessions of one content on one engine kill each other.
 */
import type { EngineAddress } from '@acexy/engine-client';

export class EngineStarts {
  private readonly tails = new Map<string, Promise<void>>();

  /** Runs `start` when no other one is under way on the engine; rejects with the signal's reason when it comes first. */
  async exclusive<T>({ host, port }: EngineAddress, signal: AbortSignal, start: () => Promise<T>): Promise<T> {
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
      await orAborted(before, signal);
      return await start();
    } finally {
      done();
    }
  }
}

function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
