/** Hedging: a second attempt starts when the first is slow; the faster one wins, and the other is cancelled. */
import { type Clock, sleep } from '@acexy/service-kit/primitives';

/** Limit of the second engine until its first packet: no report renews its lease meanwhile, and a lease expires after 20 s. */
export const HEDGE_LIMIT_MS = 15_000;
/** With less time left a second engine is not worth it. */
const MIN_HEDGE_MS = 1000;

export interface Hedge<T> {
  /** null: the attempt failed. Rejects only with the reason of its signal. */
  first(signal: AbortSignal): Promise<T | null>;
  second(signal: AbortSignal): Promise<T | null>;
  /** Time for the first attempt before the second starts, in ms; null: there is no second attempt. */
  afterMs: number | null;
  /** Called when the second attempt has started and one of the two has won, or both failed. */
  onFinished(secondWon: boolean): void;
  /** Gets the value of the slower attempt when both succeed at the same moment. */
  discard(value: T): void;
}

/**
 * How long the first engine has before a second one is tried, in ms; null: no second one.
 * @param afterMs the setting; 0: never
 * @param remainingMs time left for the whole start
 */
export function hedgeDelayMs(afterMs: number, remainingMs: number): number | null {
  return afterMs > 0 && afterMs + MIN_HEDGE_MS <= remainingMs ? afterMs : null;
}

/** The value of the faster attempt; null when all attempts failed. Cancels the slower one and does not wait for its end. */
export async function hedged<T>(hedge: Hedge<T>, clock: Clock, signal: AbortSignal): Promise<T | null> {
  const { first, second, afterMs, onFinished, discard } = hedge;
  if (afterMs === null) return first(signal);
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const attempts: Promise<T | null>[] = [first(both)];
  let taken: T | null = null;
  try {
    const slow = sleep(clock, afterMs, both).then(
      () => true,
      () => false,
    );
    const isSlow = await Promise.race([slow, attempts[0].then(() => false)]);
    if (!isSlow) return (taken = await attempts[0]);
    attempts.push(second(both));
    const winner = await firstToSucceed(attempts);
    onFinished(winner?.index === 1);
    return (taken = winner?.value ?? null);
  } finally {
    over.abort(new Error('another engine was faster'));
    for (const attempt of attempts) {
      attempt.then(
        (value) => {
          if (value !== null && value !== taken) discard(value);
        },
        // It was cancelled, and has released what it held.
        () => undefined,
      );
    }
  }
}

function firstToSucceed<T>(attempts: readonly Promise<T | null>[]): Promise<{ index: number; value: T } | null> {
  return new Promise((resolve, reject) => {
    let left = attempts.length;
    for (const [index, attempt] of attempts.entries()) {
      attempt.then((value) => {
        left -= 1;
        if (value !== null) resolve({ index, value });
        else if (left === 0) resolve(null);
      }, reject);
    }
  });
}
