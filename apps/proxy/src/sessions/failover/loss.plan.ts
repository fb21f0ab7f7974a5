/** What follows when a playing stream loses its source, or is told to leave it. Pure: how long another one is looked for, and at what pace. */

import type { QualityFault } from './source-monitor.js';

/** `eof`: the engine ended the media; `reset`: the connection broke; `stall`: nothing came for too long. */
export type LossReason = 'eof' | 'reset' | 'stall';

/** `drained`: nothing is lost yet, but the engine is to be left. A fault of quality: the source delivers, but not what it should. */
export type FailoverCause = LossReason | 'drained' | QualityFault;

/** A stream that is taken over again sooner than this has not got well: the next try is no hurry. */
export const SOUND_AFTER_MS = 10_000;

/** After a move for the sake of quality there is no other for so long: where every engine is as bad, moving helps nobody. */
export const QUALITY_PAUSE_MS = 60_000;

/** How long an engine in reserve is waited for: by then the silence has ended or become a loss, whatever the limits are. */
export const RESERVE_WAIT_MS = 60_000;

/** An engine is waited for at least so long; less is not worth the question. */
const LEAST_WAIT_MS = 500;
/** An engine that has not failed is waited for so long while viewers have nothing; then one that has is better than none. */
const CHOOSY_MS = 2000;
/** A new engine that is not part of the stream by then is given up while the old one still plays: its lease lapses at 20 s. */
const MOVE_TRY_MS = 18_000;
const LEAST_TRY_MS = 10_000;
/** A move away from an engine that still plays goes on no longer: what follows is a loss, or nothing. */
const MOVE_LIMIT_MS = 60_000;

export interface Search {
  /** Nothing feeds the stream; else it is a move, and the old source still plays. */
  lost: boolean;
  /** For how long viewers have had no bytes of the stream, in ms. */
  silentMs: number;
  /** Since the search began, in ms. */
  searchingMs: number;
  /** Tries that came to nothing, those of losses shortly before among them. */
  tries: number;
  /** Until the next engine that failed may be asked again, in ms; Infinity: none has failed lately. */
  pardonMs: number;
}

export interface SearchLimits {
  /** Silence towards viewers after which the stream is over, in ms; 0: at once. */
  emptyTimeoutMs: number;
  /** The pause before the second try, in ms; it doubles with every further one … */
  failoverPauseMs: number;
  /** … up to this, in ms. */
  failoverPauseMaxMs: number;
}

export type SearchStep = { step: 'try'; /** In ms, without jitter. */ pauseMs: number } | { step: 'give-up' };

export function planSearch(search: Search, limits: SearchLimits): SearchStep {
  if (remainingMs(search, limits) <= 0) return { step: 'give-up' };
  if (search.tries === 0) return { step: 'try', pauseMs: 0 };
  const { failoverPauseMs: first, failoverPauseMaxMs: longest } = limits;
  const pauseMs = Math.min(longest, first * 2 ** (search.tries - 1));
  return { step: 'try', pauseMs: Math.min(pauseMs, Math.max(first, search.pardonMs)) };
}

/** What is left of the whole search, in ms. */
export function remainingMs({ lost, silentMs, searchingMs }: Search, { emptyTimeoutMs }: SearchLimits): number {
  return lost ? emptyTimeoutMs - silentMs : MOVE_LIMIT_MS - searchingMs;
}

/** How long an engine may be waited for: no longer than until one that failed may be asked again, or is asked for want of another. */
export function engineWaitMs(search: Search, limits: SearchLimits): number {
  const { lost, pardonMs } = search;
  const choosyMs = lost && pardonMs < Infinity ? Math.min(pardonMs, CHOOSY_MS) : pardonMs;
  return Math.max(LEAST_WAIT_MS, Math.min(remainingMs(search, limits), choosyMs));
}

/** How long one engine may take until the stream goes on with it: the budget is never spent on a single one that hangs. */
export function tryLimitMs(search: Search, limits: SearchLimits): number {
  if (!search.lost) return MOVE_TRY_MS;
  return Math.min(remainingMs(search, limits), Math.max(LEAST_TRY_MS, limits.emptyTimeoutMs / 2));
}

/** As viewers' logs and the orchestrator read it. */
export function describeCause(cause: FailoverCause): string {
  switch (cause) {
    case 'eof':
      return 'the engine ended the stream';
    case 'reset':
      return 'the connection to the engine broke';
    case 'stall':
      return 'the engine sent nothing for too long';
    case 'frozen':
      return 'the engine sent bytes, but no stream that goes on';
    case 'starving':
      return 'the engine delivered less than real time';
    case 'looping':
      return 'the engine sent what it had sent before';
    case 'corrupt':
      return 'what the engine sent was damaged';
    case 'drained':
      return 'the orchestrator wants the engine to be left';
    default: {
      const unknown: never = cause;
      throw new TypeError(`no such cause: ${String(unknown)}`);
    }
  }
}
