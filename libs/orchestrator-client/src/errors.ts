import type { BlockedCode } from '@acexy/contracts';

/**
 * What can go wrong between a proxy and the orchestrator. `code` is stable: for logs, metrics and decisions. An abort by the caller is
 * no such error: it rejects with the reason of the caller's signal. The `cause` is the system's error at most, never the request, which
 * bears the key.
 */
export abstract class OrchestratorError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No conversation took place: refused, reset, no route, name not resolved, cut off; or the client is closed. */
export class OrchestratorUnreachableError extends OrchestratorError {
  readonly code = 'orchestrator_unreachable';
}

/** No answer within the limit of one exchange, retries included. */
export class OrchestratorTimeoutError extends OrchestratorError {
  readonly code = 'orchestrator_timeout';

  constructor(
    endpoint: string,
    /** milliseconds */
    readonly limitMs: number,
  ) {
    super(`${endpoint}: no answer within ${limitMs} ms`);
  }
}

/** The key is missing or wrong: 401 from ours, 403 from others. */
export class UnauthorizedError extends OrchestratorError {
  readonly code = 'unauthorized';

  constructor(
    endpoint: string,
    readonly status: number,
  ) {
    super(`${endpoint}: the orchestrator refuses the key (HTTP ${status})`);
  }
}

/** Why no engine can be had, as the orchestrator put it. */
export interface Refusal {
  status: number;
  code: BlockedCode;
  message: string;
  /** Whole seconds until it may be over; 0 when nobody knows. */
  recoveryEtaSeconds: number;
  canRetry: boolean;
  shouldWait: boolean;
  /** From `Retry-After`; null where it was not sent. */
  retryAfterSeconds: number | null;
}

/** No engine can be had now. `code` is the orchestrator's, such as `max_capacity`. */
export class ProvisioningBlockedError extends OrchestratorError implements Refusal {
  readonly status: number;
  readonly code: BlockedCode;
  readonly recoveryEtaSeconds: number;
  readonly canRetry: boolean;
  readonly shouldWait: boolean;
  readonly retryAfterSeconds: number | null;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.status = refusal.status;
    this.code = refusal.code;
    this.recoveryEtaSeconds = refusal.recoveryEtaSeconds;
    this.canRetry = refusal.canRetry;
    this.shouldWait = refusal.shouldWait;
    this.retryAfterSeconds = refusal.retryAfterSeconds;
  }
}

/** An orchestrator that knows neither leases nor reports; it has the engine list, provisioning and events. */
export class CallNotSupportedError extends OrchestratorError {
  readonly code = 'call_not_supported';

  constructor(
    endpoint: string,
    readonly status: number,
  ) {
    super(`${endpoint}: this orchestrator does not have the call (HTTP ${status})`);
  }
}

/** Any other answer that does not answer: a status nobody planned for, or a body that is not what was asked for. */
export class OrchestratorReplyError extends OrchestratorError {
  readonly code = 'orchestrator_bad_reply';

  constructor(
    endpoint: string,
    /** null when the reply was given up before its end */
    readonly status: number | null,
    /** The reply's own words. */
    readonly detail: string,
  ) {
    super(`${endpoint}: ${status === null ? '' : `HTTP ${status}, `}${detail}`);
  }
}
