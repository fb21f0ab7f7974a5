/** Why no engine is started, and whether waiting helps. Pure. */
import type { BlockedCode, ProvisioningBlocked } from '@acexy/contracts';
import { CodedError, messageOf } from '@acexy/service-kit/primitives';
import { NoSuchNetworkError, NotPreparedError, PortTakenError, RuntimeUnreachableError } from '../runtime/engine-runtime.js';
import { NoVpnSlotError } from '../vpn/vpn-slots.policy.js';
import type { CircuitReport } from './circuit-breaker.js';
import { EngineRequestError } from './engine-spec.plan.js';
import { NoPortsLeftError, PortOwnedError } from './port-allocator.js';
import { QueueError } from './provisioning-queue.js';

export interface RefusalOptions extends ErrorOptions {
  /** When to ask again, in milliseconds. Default: 0, nothing is known to change. */
  etaMs?: number;
  canRetry?: boolean;
}

export class ProvisioningRefusedError extends CodedError {
  /** When to ask again. */
  readonly recoveryEtaSeconds: number;
  readonly canRetry: boolean;
  readonly shouldWait: boolean;

  constructor(
    readonly code: BlockedCode,
    message: string,
    { etaMs = 0, canRetry = false, cause }: RefusalOptions = {},
  ) {
    super(message, { cause });
    this.recoveryEtaSeconds = Math.ceil(etaMs / 1000);
    this.canRetry = canRetry;
    this.shouldWait = code !== 'general_error';
  }

  toDetail(): ProvisioningBlocked {
    return {
      error: this.code === 'general_error' ? 'provisioning_failed' : 'provisioning_blocked',
      code: this.code,
      message: this.message,
      recovery_eta_seconds: this.recoveryEtaSeconds,
      can_retry: this.canRetry,
      should_wait: this.shouldWait,
    };
  }
}

export interface CircuitSituation extends CircuitReport {
  /** Why the last start failed; null if none did. */
  lastFailure: string | null;
  /** Where the output of the trial engine is; null while no trial engine runs. */
  trial: string | null;
}

/** @param trialMs longest time until the outcome of a trial is known */
export function circuitRefusal(
  { state, failures, retryInSeconds, lastFailure, trial }: CircuitSituation,
  trialMs: number,
): ProvisioningRefusedError {
  const halfOpen = state === 'half_open';
  const progress = trial === null ? '' : ` (${trial} shows its output)`;
  const message = halfOpen
    ? `Circuit breaker half open: a trial start is in progress${progress}, wait for its outcome`
    : `Circuit breaker open after ${failures} failures in a row: the next trial is in ${retryInSeconds} s`;
  const reason = lastFailure === null ? '' : `. The last start failed: ${lastFailure}`;
  return new ProvisioningRefusedError('circuit_breaker', message + reason, {
    etaMs: halfOpen ? trialMs : retryInSeconds * 1000,
    canRetry: halfOpen,
  });
}

/** Viewers come and go every few seconds: a player that repeats its request soon may get the engine of another one. */
const FULL_ETA_MS = 3000;

export function capacityRefusal(engineLimit: number): ProvisioningRefusedError {
  return new ProvisioningRefusedError(
    'max_capacity',
    `the limit of ${engineLimit} engines is reached: raise MAX_REPLICAS (behind a VPN also MAX_ACTIVE_REPLICAS), or wait for a free engine`,
    { etaMs: FULL_ETA_MS },
  );
}

/** The remaining time of an image pull is unknown, and asking again after half a minute costs nothing. */
const PREPARING_ETA_MS = 30_000;

/** @param reason from the runtime, for example how much of the image has been pulled */
export function preparingRefusal(reason: string): ProvisioningRefusedError {
  // The wire API has no code for it. As with a full pool, waiting helps, and the circuit breaker does not count it.
  return new ProvisioningRefusedError('max_capacity', `no engine can be started yet: ${reason}`, { etaMs: PREPARING_ETA_MS });
}

/** About the time a VPN needs to reconnect: Gluetun retries every few seconds and changes the server after some failures. */
const VPN_ETA_MS = 60_000;

export function vpnRefusal(reason: string): ProvisioningRefusedError {
  return new ProvisioningRefusedError('vpn_disconnected', `no engine can be started behind the VPN: ${reason}`, {
    etaMs: VPN_ETA_MS,
    canRetry: true,
  });
}

/** About the time that a restart of the service takes. */
const RESTART_ETA_MS = 5000;

export function shuttingDownRefusal(): ProvisioningRefusedError {
  // The wire API has no code for it. As with a full pool, waiting helps.
  return new ProvisioningRefusedError('max_capacity', 'the service is shutting down', { etaMs: RESTART_ETA_MS, canRetry: true });
}

/** Longest time until a runtime that is back is noticed. */
const RUNTIME_ETA_MS = 10_000;

/** @param problem as the log says it */
export function unreachableRefusal(problem: string, cause?: Error): ProvisioningRefusedError {
  return new ProvisioningRefusedError('runtime_unavailable', `no engine can be started: ${problem}`, { etaMs: RUNTIME_ETA_MS, cause });
}

/** Ports become free when an engine is removed, so waiting helps as with a full pool. */
export function portsRefusal(error: NoPortsLeftError): ProvisioningRefusedError {
  return new ProvisioningRefusedError('max_capacity', `no engine can be started: ${error.message}`, { etaMs: FULL_ETA_MS, cause: error });
}

/**
 * The answer to a caller whose provision failed. Only a queue that is too long becomes shorter by waiting.
 * @param queueMs expected wait in the queue for a new request
 */
export function refusalOf(error: unknown, queueMs: number): ProvisioningRefusedError {
  if (error instanceof ProvisioningRefusedError) return error;
  if (error instanceof NotPreparedError) return preparingRefusal(error.message);
  if (error instanceof RuntimeUnreachableError) return unreachableRefusal(error.message, error);
  if (error instanceof NoPortsLeftError) return portsRefusal(error);
  if (error instanceof NoVpnSlotError) return vpnRefusal(error.message);
  if (error instanceof NoSuchNetworkError)
    return new ProvisioningRefusedError('vpn_error', error.message, { etaMs: VPN_ETA_MS, canRetry: true, cause: error });
  if (error instanceof QueueError && error.code === 'queue_closed') return shuttingDownRefusal();
  const message = messageOf(error);
  if (!(error instanceof QueueError && error.waitHelps)) return new ProvisioningRefusedError('general_error', message, { cause: error });
  const etaMs = Math.max(1000, error.shorterInMs ?? queueMs);
  return new ProvisioningRefusedError('max_capacity', `too many engines are being started: ${message}`, { etaMs, cause: error });
}

/** Limits of this service, ports of other programs, mistakes of the caller, an unreachable Docker. */
const NOT_ABOUT_ENGINES = [
  EngineRequestError,
  PortTakenError,
  PortOwnedError,
  NoPortsLeftError,
  NotPreparedError,
  RuntimeUnreachableError,
  NoVpnSlotError,
  NoSuchNetworkError,
];

/** Whether the circuit breaker counts this error of a start. */
export function countsAsFailure(error: unknown): boolean {
  if (error instanceof QueueError) return error.code === 'start_timeout';
  return !NOT_ABOUT_ENGINES.some((type) => error instanceof type);
}
