/** Which engine plays a stream: what the sessions ask, whoever answers. */
import type { KeyType, LeasePurpose } from '@acexy/contracts';
import type { EngineAddress } from '@acexy/engine-client';

/** What is to be played, by every name known of it. */
export interface WantedContent {
  keyType: KeyType;
  key: string;
  /** Lower case; null until an engine or the viewer has told it. */
  infohash: string | null;
}

export interface SelectRequest {
  streamId: string;
  content: WantedContent;
  /** Engines that failed this stream already, as `LeasedEngine.engineId` named them. */
  exclude: readonly string[];
  purpose: LeasePurpose;
  /** An engine held in reserve for the stream: it is the answer as long as it is still ours. Where it is not, giving it back is the caller's business. */
  reserved?: LeasedEngine | null;
  /** The moment of the clock until which an engine may be waited for. */
  deadline: number;
  /** Ends the wait: nobody wants the engine any more. */
  signal: AbortSignal;
  /** Called when no engine is free; true when the caller has given one back. */
  onScarce(): boolean;
}

/** An engine reserved for one stream. */
export interface LeasedEngine {
  /** The container's id, or `host:port` where there is none. */
  engineId: string;
  containerId: string | null;
  address: EngineAddress;
  leaseId: string | null;
  /** By which the lease was asked for: asking again with it tells whether it still stands. */
  requestId?: string;
  /** Why this one, for the log. */
  reason: string;
  /** Gives the engine back. Called once; never rejects. */
  release(): Promise<void>;
}

/** No engine can be had in time. */
export class NoEngineError extends Error {
  readonly code = 'no_engine';

  constructor(
    readonly reason: string,
    /** Whole seconds after which it is worth asking again. */
    readonly retryAfterSeconds: number,
    options?: ErrorOptions,
  ) {
    super(`no engines available: ${reason}`, options);
    this.name = 'NoEngineError';
  }
}

export abstract class EngineSelector {
  /** @throws NoEngineError, or the reason of the request's signal */
  abstract select(request: SelectRequest): Promise<LeasedEngine>;
}
