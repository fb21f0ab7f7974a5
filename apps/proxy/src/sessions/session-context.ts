/** What every session needs. */
import type { EngineAddress } from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from '../broadcast/broadcast.js';
import type { ContentNames, EngineSelector, LeasedEngine } from '../selection/engine-selector.js';
import type { RequestedContent } from '../http/content-key.js';
import type { EngineApiFactory, EngineSession } from './engine-session.js';
import type { FailoverLimits } from './failover/failover.plan.js';
import type { EmitSessionEvent } from './session-events.js';
import type { EngineStartLock } from './start/engine-start-lock.js';

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
  startLock: EngineStartLock;
  clock: Clock;
  settings: SessionSettings;
  broadcast: BroadcastSettings;
  /** For jitter: from 0 to below 1. */
  random: () => number;
  log: Log;
  emit: EmitSessionEvent;
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

/** A session as its start sees it. */
export interface StartingStream extends EngineRequester {
  /** Whether another session of this proxy uses the engine. */
  sharesEngine(address: EngineAddress): boolean;
  /** An engine told the infohash of the content. Returns false when another session already plays it. */
  identify(infohash: string): boolean;
}
