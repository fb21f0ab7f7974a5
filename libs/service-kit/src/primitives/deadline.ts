/** Waiting with a limit: each wait ends at its time or with its signal, and leaves no timer behind. */
import type { Clock } from './clock.js';

/** Resolves after `ms` milliseconds; rejects with the signal's reason when the signal aborts first. */
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

/** Resolves after `ms` milliseconds, or at once when the signal aborts: for loops that check the signal themselves. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return sleep(clock, ms, signal).catch(() => undefined); // sleep rejects for no other reason
}

/**
 * Settles like `promise`, but at most `ms` milliseconds from now: then it rejects with `onLimit()`. It rejects with the signal's reason when the
 * signal aborts first. `promise` itself goes on; its caller stays responsible for it.
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
