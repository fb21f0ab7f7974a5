/** Waiting with a limit. Every wait ends at its time or when its signal aborts, and leaves no timer behind. */
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

/** Settles like `promise`, or rejects with the reason of the signal when it aborts first. `promise` itself continues. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Settles like `promise`, or rejects with `onLimit()` after `ms` milliseconds, or with the reason of the signal when it aborts first. `promise`
 * itself continues, and its caller stays responsible for it.
 */
export function within<T>(clock: Clock, promise: Promise<T>, ms: number, onLimit: () => Error, signal: AbortSignal): Promise<T> {
  let timer: unknown;
  const limit = new Promise<never>((_resolve, reject) => (timer = clock.setTimeout(() => reject(onLimit()), ms)));
  return orAborted(Promise.race([promise, limit]), signal).finally(() => clock.clearTimeout(timer));
}

/**
 * Runs `work` with a signal that aborts after `ms` milliseconds or when one of `signals` aborts. After an abort it rejects with `onLimit()` or
 * with the reason of that signal, whatever `work` rejects with. `work` must end when its signal aborts.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  onLimit: () => Error,
  signals: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  // Listeners that are removed again, because AbortSignal.any keeps an entry in a long-lived signal for every call.
  const onAbort = ({ target }: Event): void => limit.abort((target as AbortSignal).reason);
  for (const signal of signals) signal?.throwIfAborted();
  for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true });
  const timer = clock.setTimeout(() => limit.abort(onLimit()), ms);
  try {
    return await work(limit.signal);
  } catch (error) {
    throw limit.signal.aborted ? limit.signal.reason : error;
  } finally {
    clock.clearTimeout(timer);
    for (const signal of signals) signal?.removeEventListener('abort', onAbort);
  }
}
