/** What a stream's session is given, and what it tells the registry that owns it. */
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import type { EngineApiFactory, StopOutcome } from './engine-session.js';
import type { HedgeOutcome } from './start/hedge.policy.js';
import type { StandbyOutcome } from './failover/standby-engine.js';
import type { StartTimes } from './start/session-start.js';
import type { StreamSession } from './stream-session.js';
import type { Failover, FailoverContext } from './failover/failover-target.js';
import type { ViewerLimits } from './viewer-limits.policy.js';

/** Why a stream ended, as metrics count it. */
export type EndCause = 'viewers-left' | 'start-failed' | 'merged' | 'source-lost' | 'shutdown';

export interface SessionContext extends FailoverContext {
  engineApi: EngineApiFactory;
  lingerMs: number;
  viewerLimits: ViewerLimits;
  log: Log;
}

export interface SessionOwner {
  /** Takes the infohash for this session; the other session that has it, if there is one. */
  claim(session: StreamSession, infohash: string): StreamSession | null;
  /** Whether another session uses the engine. */
  sharesEngine(session: StreamSession, address: EngineAddress): boolean;
  /** No engine is free; true where one comes free. */
  onScarce(): boolean;
  /** Why a stream that nobody watches is to end at once rather than linger; null where it may. */
  lingeringForbidden(): string | null;
  onChange(session: StreamSession): void;
  onPlaying(session: StreamSession, times: StartTimes): void;
  onStartFailed(session: StreamSession, error: Error, startMs: number): void;
  /** No more viewers may come. */
  onClosing(session: StreamSession): void;
  onEnded(session: StreamSession): void;
  onFailover(session: StreamSession, failover: Failover): void;
  onReserve(outcome: StandbyOutcome): void;
  onHedge(outcome: HedgeOutcome): void;
  onEngineClosed(outcome: StopOutcome): void;
}
