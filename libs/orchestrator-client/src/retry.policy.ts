/** When a failed attempt is worth another, and after how long. The budget (retry-budget.ts) has the last word. */

/** Attempts after the first. */
export const MAX_RETRIES = 2;

const BASE_DELAY_MS = 100;
const MAX_DELAY_MS = 1000;

/** The connection failed; another attempt makes a new one. A name that does not exist will not exist in 100 ms either. */
const TRANSIENT_FAILURES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

export interface FailedAttempt {
  /** The HTTP status; null when none came. */
  status: number | null;
  /** The system's or the client's error code, such as `ECONNRESET`. */
  failure: string | null;
  /** The orchestrator thought about it and said no, with its reasons. */
  refused: boolean;
}

/** Only asked for calls that may be repeated. */
export function isWorthRetrying({ status, failure, refused }: FailedAttempt): boolean {
  if (refused) return false;
  if (status === null) return failure !== null && TRANSIENT_FAILURES.has(failure);
  // A good status and still a failure: the reply was cut off.
  if (status < 300) return true;
  return status >= 500 || status === 429;
}

/**
 * Full jitter: anything between nothing and a limit that doubles, so that clients which failed together do not return together.
 * @param attempt 1 for the first retry
 * @param retryAfterSeconds what the reply asked for; never undercut
 * @returns milliseconds
 */
export function retryDelayMs(attempt: number, retryAfterSeconds: number | null, random: () => number): number {
  const limit = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (attempt - 1));
  return Math.max(random() * limit, (retryAfterSeconds ?? 0) * 1000);
}
