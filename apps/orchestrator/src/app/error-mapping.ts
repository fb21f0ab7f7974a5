import type { ErrorReply } from '@acexy/service-kit';
import type { ProvisioningBlocked } from '@acexy/contracts';
import { WriteQueueClosedError, WriteQueueFullError } from '../database/write-queue.js';
import { isDatabaseUnavailable } from '../database/sqlite-busy.js';
import { NoEngineError } from '../leases/provisioning-outlook.js';
import { EngineRequestError } from '../provisioning/engine-spec.plan.js';
import { ProvisioningRefusedError } from '../provisioning/refusals.policy.js';
import { RuntimeFailedError } from '../runtime/engine-runtime.js';

/** Maps errors of the service to HTTP replies; null for an unknown error. */
export function mapError(error: unknown): ErrorReply | null {
  if (error instanceof ProvisioningRefusedError) {
    if (error.cause instanceof EngineRequestError) return { status: 400, detail: error.cause.message };
    return refusal(error.toDetail());
  }
  if (error instanceof NoEngineError) return refusal(error.detail);
  if (error instanceof WriteQueueFullError || error instanceof WriteQueueClosedError || isDatabaseUnavailable(error))
    return { status: 503, detail: `database unavailable: ${(error as Error).message}`, headers: { 'Retry-After': '1' } };
  if (error instanceof RuntimeFailedError) return { status: 500, detail: error.message };
  return null;
}

function refusal(detail: ProvisioningBlocked): ErrorReply {
  const status = detail.error === 'provisioning_failed' ? 500 : 503;
  const eta = detail.recovery_eta_seconds;
  return eta > 0 ? { status, detail, headers: { 'Retry-After': String(eta) } } : { status, detail };
}
