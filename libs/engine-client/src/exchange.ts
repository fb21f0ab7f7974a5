import { SystemClock, withDeadline } from '@acexy/service-kit/primitives';
import { EngineTimeoutError, type EngineTimeoutPhase, toEngineError } from './errors.js';

const CLOCK = new SystemClock();

export interface Exchange {
  /** What is requested, for error messages. */
  what: string;
  phase: EngineTimeoutPhase;
  /** Milliseconds for everything that `run` does, however slowly the bytes arrive. */
  limitMs: number;
  /** The caller's. */
  signal?: AbortSignal;
}

/** Runs one exchange with an engine. Rejects with an EngineError, or with the reason of the caller's signal. */
export function exchange<T>({ what, phase, limitMs, signal }: Exchange, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const onLimit = (): Error => new EngineTimeoutError(what, phase, limitMs);
  return withDeadline(CLOCK, limitMs, onLimit, [signal], (limit) =>
    run(limit).catch((error: unknown) => {
      throw toEngineError(what, error);
    }),
  );
}
