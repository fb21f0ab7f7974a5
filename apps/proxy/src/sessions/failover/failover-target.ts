/** The stream that is kept supplied, as whoever supplies it sees it. */
import type { Broadcast, SpliceKind } from '../../broadcast/broadcast.js';
import type { LeasedEngine, WantedContent } from '../../selection/engine-selector.js';
import type { RequestedContent } from '../content-key.js';
import type { EngineSession } from '../engine-session.js';
import type { FailoverCause, SearchLimits } from './loss.plan.js';
import type { StandbyOutcome } from './standby-engine.js';
import type { StartContext } from '../start/session-start.js';

/** How a stream was spliced; or `recovered`: the old source came back; `given-up`: none was found; `refused`: another codec. */
export type FailoverOutcome = SpliceKind | 'recovered' | 'given-up' | 'refused';

export interface Failover {
  cause: FailoverCause;
  outcome: FailoverOutcome;
  /** From the last byte of the old source to the first of the new one, in ms; null where the stream did not go on or nothing was lost. */
  gapMs: number | null;
}

export interface FailoverContext extends StartContext, SearchLimits {
  /** For jitter: 0 up to 1. */
  random: () => number;
}

export interface FailoverTarget {
  readonly id: string;
  readonly content: RequestedContent;
  readonly wanted: WantedContent;
  readonly broadcast: Broadcast;
  /** Somebody watches it. */
  isWatched(): boolean;
  /** `inUse`: the stream has no other one; else the old one still feeds it. */
  openEngine(seat: LeasedEngine, inUse: boolean): EngineSession;
  onScarce(): boolean;
  /** Nothing feeds the stream any more. */
  onLost(): void;
  /** The engine feeds it. */
  onSupplied(engine: EngineSession): void;
  /** Nothing will. */
  onGivenUp(reason: string): void;
  onFailover(failover: Failover): void;
  /** What became of an engine that was to be kept ready. */
  onReserve(outcome: StandbyOutcome): void;
}
