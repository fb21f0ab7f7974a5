import type { OrchestratorSettings } from './settings.js';

/**
 * How long to wait before a failed call is repeated: RETRY_BACKOFF_S, doubled with every failure in a row, with jitter so that those
 * who failed together do not knock together again.
 * @param failures in a row, the last one included
 * @returns milliseconds; null once MAX_RETRIES repetitions have failed too: the next regular time is soon enough
 */
export function retryPauseMs(
  failures: number,
  { maxRetries, retryBackoffMs }: Pick<OrchestratorSettings, 'maxRetries' | 'retryBackoffMs'>,
  random: () => number = Math.random,
): number | null {
  if (failures < 1 || failures > maxRetries) return null;
  return retryBackoffMs * 2 ** (failures - 1) * (0.5 + random() / 2);
}
