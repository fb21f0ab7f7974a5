import type { BlockedCode } from '@acexy/contracts';
import { CodedError } from '@acexy/service-kit/primitives';

/** Names of the calls in metrics and messages. */
export type Endpoint = 'lease' | 'release' | 'report' | 'engines' | 'provision' | 'stream_started' | 'stream_ended';

/**
 * A failed call to the orchestrator. A call that its caller aborts rejects with the reason of the caller's signal instead. The `cause` is never the
 * request, because that contains the API key.
 */
export abstract class OrchestratorError extends CodedError {}

/** The connection failed (refused, reset, no route, cut off), the name does not resolve, or the client is closed. */
export class OrchestratorUnreachableError extends OrchestratorError {
  readonly code = 'orchestrator_unreachable';
}

/** No answer within the time limit of a call, retries included. */
export class OrchestratorTimeoutError extends OrchestratorError {
  readonly code = 'orchestrator_timeout';

  constructor(endpoint: string, limitMs: number) {
    super(`${endpoint}: no answer within ${limitMs} ms`);
  }
}

/** The API key is missing or wrong. Our orchestrator answers 401, others answer 403. */
export class UnauthorizedError extends OrchestratorError {
  readonly code = 'unauthorized';

  constructor(endpoint: string, status: number) {
    super(`${endpoint}: the orchestrator rejects the API key (HTTP ${status}): set ACEXY_ORCH_APIKEY to the API_KEY of the orchestrator`);
  }
}

/** Why no engine is available, as the orchestrator reported it. */
export interface Refusal {
  code: BlockedCode;
  message: string;
  /** Whole seconds until a new attempt makes sense; 0 when unknown. */
  recoveryEtaSeconds: number;
  /** From `Retry-After`; null when it was not sent. */
  retryAfterSeconds: number | null;
}

/** No engine is available. `code` is the orchestrator's, such as `max_capacity`. */
export class ProvisioningBlockedError extends OrchestratorError implements Refusal {
  readonly code: BlockedCode;
  readonly recoveryEtaSeconds: number;
  readonly retryAfterSeconds: number | null;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.code = refusal.code;
    this.recoveryEtaSeconds = refusal.recoveryEtaSeconds;
    this.retryAfterSeconds = refusal.retryAfterSeconds;
  }
}

/** The orchestrator has neither leases nor reports. It has the engine list, provisioning and events. */
export class CallNotSupportedError extends OrchestratorError {
  readonly code = 'call_not_supported';

  constructor(endpoint: string, status: number) {
    super(`${endpoint}: this orchestrator does not support the call (HTTP ${status})`);
  }
}

/** An unexpected status or an invalid body. */
export class OrchestratorReplyError extends OrchestratorError {
  readonly code = 'orchestrator_bad_reply';

  /** @param status null when the reply was too long to be read */
  constructor(endpoint: string, status: number | null, detail: string) {
    super(`${endpoint}: ${status === null ? '' : `HTTP ${status}, `}${detail}`);
  }
}
