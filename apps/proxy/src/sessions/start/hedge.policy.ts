/** When a second engine is tried beside one that is slow to begin, and what of the two is told. */

/** How long a second engine may take until its first packet: its lease is named in no report meanwhile, and lapses after 20 s (ms). */
export const HEDGE_LIMIT_MS = 15_000;
/** Less time than this is not worth a second engine (ms). */
const LEAST_MS = 1000;

/** `won`: the second engine was first. `lost`: the first one was after all, or the second failed. `none`: no engine was free for it. */
export type HedgeOutcome = 'won' | 'lost' | 'none';

/**
 * How long the engine in hand is given before another one is tried beside it, in ms; null: nothing is tried beside it.
 * @param afterMs the setting; 0: never
 * @param remainingMs what is left of the whole start's limit
 */
export function hedgeDelayMs(afterMs: number, remainingMs: number): number | null {
  return afterMs > 0 && afterMs + LEAST_MS <= remainingMs ? afterMs : null;
}
