/** What every session needs. */
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from '../broadcast/broadcast.js';
import type { ContentNames, EngineSelector, LeasedEngine } from '../selection/engine-selector.js';
import type { RequestedContent } from '../http/content-key.js';
import type { BufferBudget } from './budget/buffer-budget.js';
import type { EngineApiFactory, EngineSession } from './engine-session.js';
import type { FailoverLimits } from './failover/failover.plan.js';
import type { EmitSessionEvent } from './session-events.js';
import type { EngineStartLimit } from './start/engine-start-limit.js';

/** See the settings with the same names. */
export interface SessionSettings extends FailoverLimits, ViewerLimits {
  noResponseTimeoutMs: number;
  firstByteTimeoutMs: number;
  startTimeoutMs: number;
  hedgeAfterMs: number;
  /** undefined: adapts to the gaps of each stream. */
  stallTimeoutMs?: number;
  lingerMs: number;
}

/** 0: no limit. */
export interface ViewerLimits {
  readonly maxViewers: number;
  readonly maxViewersPerStream: number;
}

export interface SessionContext {
  selector: EngineSelector;
  engineApi: EngineApiFactory;
  startLimit: EngineStartLimit;
  clock: Clock;
  settings: SessionSettings;
  broadcast: BroadcastSettings;
  budget: BufferBudget;
  /** For jitter: from 0 to below 1. */
  random: () => number;
  log: Log;
  emit: EmitSessionEvent;
}

/** The other sessions, as one session sees them. */
export interface OtherSessions<Session> {
  /** Records the infohash of the session. Returns the session that already plays it, if there is one. */
  claim(session: Session, infohash: string): Session | null;
  /** The other sessions that have not released the engine. */
  sharersOf(address: EngineAddress, session: Session): EngineSharer[];
  /** Makes another session release an engine. Returns false when none can. */
  freeEngine(): boolean;
  /** Why a session without viewers must end at once instead of lingering; null when it may linger. */
  lingeringForbidden(): string | null;
}

/** A viewer as its session sees it. */
export interface Subscriber<Session> {
  moveTo(session: Session): void;
}

/** A session as the code that leases engines for it sees it. */
export interface EngineRequester {
  readonly id: string;
  readonly content: RequestedContent;
  readonly names: ContentNames;
  /** Takes over a lease; the session closes the engine session at its own end at the latest. `inUse`: reports name this engine from now on. */
  openEngine(leased: LeasedEngine, inUse: boolean): EngineSession;
  /** No engine is free. Returns true when another session releases one. */
  onNoneFree(): boolean;
}

/** A session as the failover sees it. */
export interface FailoverTarget extends EngineRequester {
  readonly isWatched: boolean;
  /** Nothing feeds the stream. */
  onSourceLost(): void;
  /** The engine feeds the stream from now on. */
  onSourceReady(engine: EngineSession): void;
  /** Nothing will feed the stream again. */
  onNoSource(reason: string): void;
}

/** Another session that uses the same engine. */
export interface EngineSharer {
  readonly session: Pick<StartingStream, 'content' | 'names' | 'identify'> & {
    /** Viewers may join. */
    readonly isOpen: boolean;
    /** How far it is; 0: its engine has not been asked. */
    readonly progress: number;
  };
  readonly engine: EngineSession;
  /** It was requested before this one. */
  readonly isOlder: boolean;
}

/** A session as its start sees it. */
export interface StartingStream extends EngineRequester {
  sharersOf(address: EngineAddress): EngineSharer[];
  /** An engine told the infohash of the content. Returns false when another session already plays it. */
  identify(infohash: string): boolean;
}
