/** How long to wait before a failed action is repeated. */

export interface BackoffLimits {
  /** Delay after the first failure, in milliseconds; it doubles with every further failure … */
  firstMs: number;
  /** … up to this, in milliseconds. Default: no limit. */
  longestMs?: number;
}

/** @param failures number of failures in a row, the last one included */
export function backoffMs(failures: number, { firstMs, longestMs = Infinity }: BackoffLimits): number {
  return Math.min(longestMs, firstMs * 2 ** (failures - 1));
}

/** Between half of `ms` and all of it, so that clients that failed together do not retry together. */
export function withJitter(ms: number, random: () => number = Math.random): number {
  return ms * (0.5 + random() / 2);
}

/** The settings MAX_RETRIES and RETRY_BACKOFF_S. */
export interface RetryLimits {
  maxRetries: number;
  retryBackoffMs: number;
}

/** @returns the delay before the next retry, with jitter; null when there is no retry, because none failed or all retries did */
export function retryDelayMs(failures: number, { maxRetries, retryBackoffMs }: RetryLimits, random?: () => number): number | null {
  if (failures < 1 || failures > maxRetries) return null;
  return withJitter(backoffMs(failures, { firstMs: retryBackoffMs }), random);
}
