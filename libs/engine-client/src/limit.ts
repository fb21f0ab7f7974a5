import { EngineTimeoutError, type EngineTimeoutPhase } from './errors.js';
import { toEngineError } from './failures.js';

export interface Limit {
  /** What is being done, for the error's message. */
  what: string;
  phase: EngineTimeoutPhase;
  /** milliseconds */
  limitMs: number;
  /** The caller's. */
  signal?: AbortSignal;
}

/**
 * Runs an exchange under one clock, however its bytes trickle in. Rejects with the reason of the caller's signal, with
 * EngineTimeoutError, or with the EngineError that the failure amounts to. The clock and the caller's signal are let go of when it settles.
 */
export async function withLimit<T>({ what, phase, limitMs, signal }: Limit, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  const limit = new AbortController();
  const end = (): void => limit.abort();
  const timer = setTimeout(end, limitMs);
  signal?.addEventListener('abort', end, { once: true });
  try {
    return await run(limit.signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.signal.aborted) throw new EngineTimeoutError(what, phase, limitMs, { cause: error });
    throw toEngineError(what, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}
