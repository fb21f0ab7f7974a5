/** Which engine plays a stream, as sessions ask for it. */
import type { KeyType, LeasePurpose } from '@acexy/contracts';
import type { EngineAddress } from '@acexy/engine-client';
import type { ProvisioningBlockedError } from '@acexy/orchestrator-client';
import { CodedError } from '@acexy/service-kit/primitives';

const DEFAULT_RETRY_S = 10;
/** Operators search logs for this text. */
export const NO_ENGINE_TEXT = 'no engines available';

/** A content by every name known of it. */
export interface ContentNames {
  keyType: KeyType;
  key: string;
  /** Lower case; null while unknown. */
  infohash: string | null;
}

export interface SelectRequest {
  streamId: string;
  content: ContentNames;
  /** `LeasedEngine.engineId` of engines that this stream must not get. */
  exclude: readonly string[];
  purpose: LeasePurpose;
  /** The standby engine of the stream. The selector returns it while its lease is valid; otherwise the caller has to release it. */
  standby?: LeasedEngine | null;
  /** Time of the clock until which the selector waits for a free engine, in ms. */
  deadline: number;
  /** Ends the wait. */
  signal: AbortSignal;
  /** Called when no engine is free. Returns true when the caller releases one. */
  onNoneFree(): boolean;
}

/** An engine reserved for one stream. */
export interface LeasedEngine {
  /** The container's id, or `host:port` when there is none. */
  engineId: string;
  containerId: string | null;
  address: EngineAddress;
  leaseId: string | null;
  /** Id of the lease request. Repeating the request with this id shows whether the lease is still valid. */
  requestId?: string;
  /** Why this engine, for the log. */
  reason: string;
  /** Called once; never rejects. */
  release(): Promise<void>;
}

/** No engine is free in time. */
export class NoEngineError extends CodedError {
  readonly code = 'no_engine';

  constructor(
    readonly reason: string,
    /** Whole seconds after which a new request makes sense. */
    readonly retryAfterSeconds: number,
    options?: ErrorOptions,
  ) {
    super(`${NO_ENGINE_TEXT}: ${reason}`, options);
  }

  /** The orchestrator does not start an engine. */
  static blocked(cause: ProvisioningBlockedError): NoEngineError {
    const seconds = cause.retryAfterSeconds ?? (cause.recoveryEtaSeconds > 0 ? cause.recoveryEtaSeconds : DEFAULT_RETRY_S);
    return new NoEngineError(`${cause.message} (${cause.code})`, Math.max(1, Math.ceil(seconds)), { cause });
  }
}

export abstract class EngineSelector {
  /** @throws NoEngineError, or the reason of the request's signal */
  abstract select(request: SelectRequest): Promise<LeasedEngine>;
}
