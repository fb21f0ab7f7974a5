/** How a session searches another engine after its source is lost, or while it moves off an engine: how long, and at what pace. Pure. */
import { backoffMs } from '@acexy/service-kit/primitives';
import type { SourceFault } from '../../broadcast/broadcast.js';

/** `eof`: the engine ended the media. `reset`: the connection broke. `stall`: no bytes for too long. `exception`: the proxy failed to read them. */
export type LossReason = 'eof' | 'reset' | 'stall' | 'exception';

/** `drained`: the source still plays, but the orchestrator drains its engine. `SourceFault`: the source delivers bad data. */
export type FailoverCause = LossReason | 'drained' | SourceFault;

/** A source that is lost sooner than this after a failover was never sound: the next attempt waits like a repeated one. */
export const SOUND_AFTER_MS = 10_000;

/** Pause between two moves because of bad quality: where every engine is equally bad, moving does not help. */
export const QUALITY_PAUSE_MS = 60_000;

/** How long to wait for a standby engine. By then any silence has ended or has become a loss. */
export const STANDBY_WAIT_MS = 60_000;

const MIN_ENGINE_WAIT_MS = 500;
/** While viewers have no bytes, a fresh engine is awaited this long; after that an engine that failed before is better than none. */
const FRESH_ENGINE_WAIT_MS = 2000;
/** Limit of one engine while the old one still plays; its lease expires after 20 s. */
const MOVE_ATTEMPT_MS = 18_000;
const MIN_ATTEMPT_MS = 10_000;
/** Limit of the whole search while the old engine still plays. */
const MOVE_LIMIT_MS = 60_000;

export interface Search {
  /** The source is lost; false: the old source still plays. */
  lost: boolean;
  /** Time for which viewers have had no bytes of the stream, in ms. */
  silentMs: number;
  /** Time since the search began, in ms. */
  searchingMs: number;
  /** Failed attempts, including those of losses shortly before. */
  attempts: number;
  /** Time until the next excluded engine may be tried again, in ms; Infinity when none is excluded. */
  cooldownMs: number;
}

/** See the settings with the same names. */
export interface FailoverLimits {
  emptyTimeoutMs: number;
  failoverPauseMs: number;
  failoverPauseMaxMs: number;
}

export type SearchStep = { step: 'try'; /** In ms, without jitter. */ pauseMs: number } | { step: 'give-up' };

export function planSearch(search: Search, limits: FailoverLimits): SearchStep {
  const { attempts, cooldownMs } = search;
  if (remainingMs(search, limits) <= 0) return { step: 'give-up' };
  if (attempts === 0) return { step: 'try', pauseMs: 0 };
  const { failoverPauseMs: firstMs, failoverPauseMaxMs: longestMs } = limits;
  return { step: 'try', pauseMs: Math.min(backoffMs(attempts, { firstMs, longestMs }), Math.max(firstMs, cooldownMs)) };
}

/** Time left for the whole search, in ms. */
export function remainingMs({ lost, silentMs, searchingMs }: Search, { emptyTimeoutMs }: FailoverLimits): number {
  return lost ? emptyTimeoutMs - silentMs : MOVE_LIMIT_MS - searchingMs;
}

/** How long to wait for a free engine, in ms: at most until an excluded engine may be tried again. */
export function engineWaitMs(search: Search, limits: FailoverLimits): number {
  const { lost, cooldownMs } = search;
  const freshMs = lost && cooldownMs < Infinity ? Math.min(cooldownMs, FRESH_ENGINE_WAIT_MS) : cooldownMs;
  return Math.max(MIN_ENGINE_WAIT_MS, Math.min(remainingMs(search, limits), freshMs));
}

/** How long one engine may take until it feeds the stream, in ms: a single engine that hangs never uses up the whole time. */
export function attemptLimitMs(search: Search, limits: FailoverLimits): number {
  if (!search.lost) return MOVE_ATTEMPT_MS;
  return Math.min(remainingMs(search, limits), Math.max(MIN_ATTEMPT_MS, limits.emptyTimeoutMs / 2));
}

const DESCRIPTIONS: Readonly<Record<FailoverCause, string>> = {
  eof: 'the engine ended the stream',
  reset: 'the connection to the engine broke',
  stall: 'the engine sent nothing for too long',
  exception: 'the proxy failed to read what the engine sent',
  frozen: 'the engine sent bytes, but the stream made no progress',
  starving: 'the engine delivered slower than real time',
  looping: 'the engine repeated what it had sent before',
  corrupt: 'the engine sent damaged data',
  drained: 'the orchestrator drains the engine',
};

/** For logs, and for the reason that the orchestrator shows. */
export function describeCause(cause: FailoverCause): string {
  return DESCRIPTIONS[cause];
}
