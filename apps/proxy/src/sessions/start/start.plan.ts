/** What follows when an engine did not start a stream, and what all the attempts together amount to. */

/**
 * `refused`: the engine understood and said no. `silent`: it took the start and nothing came in time. `broken`: its answer or its media
 * made no sense. `unreachable`: there was no conversation.
 */
export type FailureKind = 'refused' | 'silent' | 'broken' | 'unreachable';

export interface FailedAttempt {
  engineId: string;
  kind: FailureKind;
  /** The engine's own words where it had some. */
  reason: string;
}

/** Each refusal is another engine's word on the same content; the third is believed. */
export const MAX_REFUSALS = 3;
/** Engines that one start may spend, whatever is wrong with them. */
export const MAX_TRIES = 8;
/** How long a start that was refused once waits for an engine to ask for a second opinion (ms). */
const SECOND_OPINION_WAIT_MS = 10_000;

export type NextStep = { step: 'try'; /** for an engine, in ms */ waitMs: number } | { step: 'give-up' };

/** @param remainingMs what is left of the whole start's limit */
export function nextStep(attempts: readonly FailedAttempt[], remainingMs: number): NextStep {
  const refusals = attempts.filter(({ kind }) => kind === 'refused').length;
  if (remainingMs <= 0 || refusals >= MAX_REFUSALS || attempts.length >= MAX_TRIES) return { step: 'give-up' };
  return { step: 'try', waitMs: refusals > 0 ? Math.min(remainingMs, SECOND_OPINION_WAIT_MS) : remainingMs };
}

/** `no-engine`: none was there at all; `silent`: at least one may have the stream and did not deliver; else `refused`. */
export type Verdict = 'no-engine' | 'silent' | 'refused';

export function verdictOf(attempts: readonly FailedAttempt[]): Verdict {
  if (attempts.every(({ kind }) => kind === 'unreachable')) return 'no-engine';
  return attempts.some(({ kind }) => kind === 'silent') ? 'silent' : 'refused';
}

/** Whether the engine had answered the start when it failed. */
export type StartPhase = 'asking' | 'opening';

/** What kind of failure an error is, by its stable code. */
export function kindOf(code: string | undefined, phase: StartPhase): FailureKind {
  switch (code) {
    case 'engine_refused':
      return 'refused';
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
