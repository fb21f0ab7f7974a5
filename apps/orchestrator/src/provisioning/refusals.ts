/** Why no engine is started, in the words of wire-api.md §1.2. Pure. */
import type { CircuitReport } from './circuit-breaker.js';
import { NoSuchNetworkError, NotPreparedError, PortTakenError, RuntimeUnreachableError } from '../runtime/engine-runtime.js';
import { EngineRequestError } from './engine-spec.plan.js';
import { NoPortsLeftError, PortOwnedError } from './ports.js';
import { QueueClosedError, QueueFullError, QueueRevokedError, QueueTimeoutError, QueueTooLongError } from './provisioning-queue.js';
import { ProvisioningRefusedError } from './provisioning-refused.error.js';
import { NoVpnSlotError } from '../vpn/vpn-slots.service.js';

/** @param trialMs how long the outcome of a trial takes at most */
export function circuitRefusal({ state, failures, retryInSeconds }: CircuitReport, trialMs: number): ProvisioningRefusedError {
  const halfOpen = state === 'half_open';
  return new ProvisioningRefusedError({
    code: 'circuit_breaker',
    message: halfOpen
      ? 'Circuit breaker half open: one engine is being tried, others wait for its outcome'
      : `Circuit breaker open after ${failures} failures in a row: the next try is in ${retryInSeconds} s`,
    recoveryEtaSeconds: halfOpen ? trialMs / 1000 : retryInSeconds,
    canRetry: halfOpen,
    shouldWait: true,
  });
}

/** @param nextRoundMs when the pool is looked at next; an engine that gets free earlier is handed out by lease, without provisioning */
export function capacityRefusal(maxReplicas: number, nextRoundMs: number): ProvisioningRefusedError {
  return new ProvisioningRefusedError({
    code: 'max_capacity',
    message: `all ${maxReplicas} engines of MAX_REPLICAS exist already`,
    recoveryEtaSeconds: nextRoundMs / 1000,
    canRetry: false,
    shouldWait: true,
  });
}

/** How long a pull may still take is not known; asking again in half a minute costs nothing. */
const PREPARING_ETA_S = 30;

/** @param what the runtime's own sentence, such as how much of an image has been pulled */
export function preparingRefusal(what: string): ProvisioningRefusedError {
  return new ProvisioningRefusedError({
    // The wire has no word of its own for it; like a full pool it passes by waiting, and the breaker learns nothing from it.
    code: 'max_capacity',
    message: `no engine can be started yet: ${what}`,
    recoveryEtaSeconds: PREPARING_ETA_S,
    canRetry: false,
    shouldWait: true,
  });
}

/** What a VPN needs to come back, roughly: Gluetun tries again every few seconds, and gives a server up after some tries. */
const VPN_ETA_S = 60;

/** @param why what is known of the VPNs */
export function vpnRefusal(why: string): ProvisioningRefusedError {
  return new ProvisioningRefusedError({
    code: 'vpn_disconnected',
    message: `no engine is started while the VPN is not connected (${why})`,
    recoveryEtaSeconds: VPN_ETA_S,
    canRetry: true,
    shouldWait: true,
  });
}

/** The VPN seemed to be there, and an engine could not be started in its network. */
function vpnErrorRefusal(error: NoSuchNetworkError): ProvisioningRefusedError {
  return new ProvisioningRefusedError(
    { code: 'vpn_error', message: error.message, recoveryEtaSeconds: VPN_ETA_S, canRetry: true, shouldWait: true },
    { cause: error },
  );
}

/** @param nextLookMs when it is looked for again, at the latest */
export function unreachableRefusal(nextLookMs: number): ProvisioningRefusedError {
  return new ProvisioningRefusedError({
    code: 'max_capacity',
    message: 'no engine can be started: what runs the engines is out of reach',
    recoveryEtaSeconds: nextLookMs / 1000,
    canRetry: false,
    shouldWait: true,
  });
}

/**
 * What a failed provision is to its caller: a queue that is too long passes, everything else does not pass by waiting.
 * @param queueMs how long the turn of one that came now would take to come
 */
export function refusalOf(error: unknown, queueMs: number): ProvisioningRefusedError {
  if (error instanceof ProvisioningRefusedError) return error;
  if (error instanceof NotPreparedError) return preparingRefusal(error.message);
  if (error instanceof NoVpnSlotError) return vpnRefusal(error.message);
  if (error instanceof NoSuchNetworkError) return vpnErrorRefusal(error);
  const message = error instanceof Error ? error.message : String(error);
  const tooMany =
    error instanceof QueueFullError ||
    error instanceof QueueTooLongError ||
    (error instanceof QueueTimeoutError && error.phase === 'waiting');
  const etaMs = error instanceof QueueTooLongError ? error.shorterInMs : queueMs;
  return new ProvisioningRefusedError(
    tooMany
      ? {
          code: 'max_capacity',
          message: `too many engines are being started: ${message}`,
          recoveryEtaSeconds: Math.max(1, etaMs / 1000),
          canRetry: false,
          shouldWait: true,
        }
      : { code: 'general_error', message, recoveryEtaSeconds: 0, canRetry: false, shouldWait: false },
    { cause: error },
  );
}

/** Our own limits, a foreign program's port, the caller's mistake, a Docker that is away, or our own end: no reason to stop trying. */
const NO_FAULT_OF_ENGINES = [
  QueueClosedError,
  QueueRevokedError,
  EngineRequestError,
  PortTakenError,
  PortOwnedError,
  NoPortsLeftError,
  NotPreparedError,
  RuntimeUnreachableError,
  NoVpnSlotError,
  NoSuchNetworkError,
];

/** The breaker learns nothing from such a failure. */
export function saysNothingOfEngines(error: unknown): boolean {
  return NO_FAULT_OF_ENGINES.some((type) => error instanceof type);
}
