/** Whether and when a failed attempt is repeated. The retry budget (retry-budget.ts) limits retries further. */
import { backoffMs } from '@acexy/service-kit/primitives';

/** Attempts after the first. */
export const MAX_RETRIES = 2;

const BACKOFF = { firstMs: 100, longestMs: 1000 };

/** Connection failures that a new connection may cure. ENOTFOUND is not one of them: the name will not exist in 100 ms either. */
const TRANSIENT_FAILURES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

export interface FailedAttempt {
  /** HTTP status; null without a reply. */
  status: number | null;
  /** Error code of the system or the client, such as `ECONNRESET`. */
  failure: string | null;
  /** The orchestrator refused and explained why. */
  refused: boolean;
}

/** For calls that may be repeated. */
export function isWorthRetrying({ status, failure, refused }: FailedAttempt): boolean {
  if (refused) return false;
  if (status === null) return failure !== null && TRANSIENT_FAILURES.has(failure);
  // A failure with a good status means that the reply was cut off.
  if (status < 300) return true;
  return status >= 500 || status === 429;
}

/**
 * Full jitter: between 0 and the backoff, so that clients that failed together do not retry together.
 * @param attempt 1 for the first retry
 * @param retryAfterSeconds minimum that the reply asked for
 * @returns milliseconds
 */
export function retryDelayMs(attempt: number, retryAfterSeconds: number | null, random: () => number): number {
  return Math.max(random() * backoffMs(attempt, BACKOFF), (retryAfterSeconds ?? 0) * 1000);
}
