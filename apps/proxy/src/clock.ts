/** Time as the proxy sees it, injected so that tests own it. */
export abstract class Clock {
  /** Milliseconds on a clock that never goes back; for limits and ages. */
  abstract now(): number;
  /** Milliseconds since the epoch; for what is shown and sent. */
  abstract time(): number;
  abstract setTimeout(run: () => void, ms: number): unknown;
  abstract clearTimeout(handle: unknown): void;

  /** The moment as it goes over the wire: ISO 8601 in UTC. */
  iso(): string {
    return new Date(this.time()).toISOString();
  }
}

export class SystemClock extends Clock {
  now(): number {
    return performance.now();
  }

  time(): number {
    return Date.now();
  }

  setTimeout(run: () => void, ms: number): NodeJS.Timeout {
    return setTimeout(run, ms);
  }

  clearTimeout(handle: unknown): void {
    clearTimeout(handle as NodeJS.Timeout);
  }
}

/** Resolves after `ms`; rejects with the signal's reason when that comes first. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clock.clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = clock.setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * What `promise` comes to, unless the limit or the signal comes first: then it rejects with `onLimit()` or the signal's reason. The promise
 * itself goes on and stays its owner's business.
 */
export function within<T>(clock: Clock, promise: Promise<T>, ms: number, onLimit: () => Error, signal: AbortSignal): Promise<T> {
  const limit = new AbortController();
  const end = (): void => limit.abort(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  const timer = sleep(clock, ms, limit.signal).then(() => {
    throw onLimit();
  });
  if (signal.aborted) end();
  return Promise.race([promise, timer]).finally(() => {
    signal.removeEventListener('abort', end);
    limit.abort(new Error('settled'));
  });
}
