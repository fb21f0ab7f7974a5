/** Two tries at the same time: the second is begun where the first is slow, the first that succeeds counts, and the other is called off. */
import { type Clock, sleep } from '@acexy/service-kit/primitives';

/** The other try was quicker. */
export class OvertakenError extends Error {
  readonly code = 'overtaken';

  constructor() {
    super('another engine was quicker');
    this.name = 'OvertakenError';
  }
}

export interface Hedge<T> {
  /** null: it failed, and has told so. Rejects only with the reason of its signal, or where there is no use in going on. */
  first(signal: AbortSignal): Promise<T | null>;
  second(signal: AbortSignal): Promise<T | null>;
  /** How long the first has before the second is begun, in ms; null: it is alone. */
  afterMs: number | null;
  /** The second was begun: what became of it. */
  onHedged(won: boolean): void;
  /** What the other one came to all the same, in the moment before it was called off. */
  discard(value: T): void;
}

/** What the quicker one came to; null where each of them failed. Resolves when the other one has been told, not when it is gone. */
export async function hedged<T>(hedge: Hedge<T>, clock: Clock, signal: AbortSignal): Promise<T | null> {
  const { first, second, afterMs, onHedged, discard } = hedge;
  if (afterMs === null) return first(signal);
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const tries: Promise<T | null>[] = [first(both)];
  let taken: T | null = null;
  try {
    const slow = sleep(clock, afterMs, both).then(
      () => true,
      () => false,
    );
    const isSlow = await Promise.race([slow, tries[0].then(() => false)]);
    if (!isSlow) return (taken = await tries[0]);
    tries.push(second(both));
    const winner = await firstToSucceed(tries);
    onHedged(winner?.index === 1);
    return (taken = winner?.value ?? null);
  } finally {
    over.abort(new OvertakenError());
    for (const one of tries) {
      one.then(
        (value) => {
          if (value !== null && value !== taken) discard(value);
        },
        // Called off: it rejects with that, and has cleared up behind itself.
        () => undefined,
      );
    }
  }
}

function firstToSucceed<T>(tries: readonly Promise<T | null>[]): Promise<{ index: number; value: T } | null> {
  return new Promise((resolve, reject) => {
    let left = tries.length;
    for (const [index, one] of tries.entries()) {
      one.then((value) => {
        left -= 1;
        if (value !== null) resolve({ index, value });
        else if (left === 0) resolve(null);
      }, reject);
    }
  });
}
