import { setTimeout as sleep } from 'node:timers/promises';

/** Repeats `condition` until it returns a value other than false, null or undefined. After `limitMs` it throws with `what` and the last result. */
export async function until<T>(what: string, condition: () => Promise<T | false | null | undefined>, limitMs = 30_000): Promise<T> {
  const end = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what} (last: ${String(last)})`);
    await sleep(50);
  }
}
