/** Decides what follows a failed start attempt, and with which error a start ends. Pure. */

/**
 * `refused`: the engine said no. `silent`: it accepted the start and sent nothing in time. `broken`: its answer or its media were invalid.
 * `unreachable`: no connection. `busy`: it was not asked, because earlier starts had no reply yet.
 */
export type FailureKind = 'refused' | 'silent' | 'broken' | 'unreachable' | 'busy';

export interface FailedAttempt {
  engineId: string;
  kind: FailureKind;
  /** The error text of the engine, if it gave one. */
  reason: string;
}

/** After this many engines have refused it, the content counts as dead. */
export const MAX_REFUSALS = 3;
/** Maximum number of engines that one start tries, whatever their failures are. */
export const MAX_ATTEMPTS = 8;
/** How long a start that was refused once waits for another engine. */
const SECOND_OPINION_WAIT_MS = 10_000;

/** An engine that is found later than this before the limit of the start is not worth asking: it needs this time to send its first packets. */
const ENGINE_START_MS = 5000;
/** Longest part of a start that is kept for the engine, however short the limit is. */
const ENGINE_START_PART = 0.25;

/** How long a start may look for engines, in ms. The rest of its limit is for the engine that is found last. */
export function selectionLimitMs(startTimeoutMs: number): number {
  return startTimeoutMs - Math.min(ENGINE_START_MS, startTimeoutMs * ENGINE_START_PART);
}

export type NextStep = { step: 'try'; /** Longest wait for an engine, in ms. */ waitMs: number } | { step: 'give-up' };

/** @param remainingMs time left for finding an engine, see {@link selectionLimitMs} */
export function nextStep(attempts: readonly FailedAttempt[], remainingMs: number): NextStep {
  const refusals = attempts.filter(({ kind }) => kind === 'refused').length;
  if (remainingMs <= 0 || refusals >= MAX_REFUSALS || attempts.length >= MAX_ATTEMPTS) return { step: 'give-up' };
  return { step: 'try', waitMs: refusals > 0 ? Math.min(remainingMs, SECOND_OPINION_WAIT_MS) : remainingMs };
}

/** `no-engine`: no engine was asked. `silent`: at least one engine may have the content and sent nothing. `refused`: any other case. */
export type Verdict = 'no-engine' | 'silent' | 'refused';

export function verdictOf(attempts: readonly FailedAttempt[]): Verdict {
  if (attempts.every(({ kind }) => kind === 'unreachable' || kind === 'busy')) return 'no-engine';
  return attempts.some(({ kind }) => kind === 'silent') ? 'silent' : 'refused';
}

/** `asking`: the engine has not answered the start. `opening`: it has. */
export type StartPhase = 'asking' | 'opening';

/** @param code the stable code of the error */
export function kindOf(code: string | undefined, phase: StartPhase): FailureKind {
  switch (code) {
    case 'engine_refused':
    case 'no_transport_stream': // other engines deliver the content in the same form
      return 'refused';
    case 'engine_busy':
      return 'busy';
    case 'engine_timeout':
    case 'engine_still_preparing':
    case 'no_packets':
      return 'silent';
    case 'engine_unreachable':
      return phase === 'asking' ? 'unreachable' : 'broken';
    default:
      return 'broken';
  }
}
