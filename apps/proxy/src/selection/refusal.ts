import type { ProvisioningBlockedError } from '@acexy/orchestrator-client';
import { NoEngineError } from './engine-selector.js';

const DEFAULT_RETRY_S = 10;

/** The orchestrator's refusal as the viewer is told it. */
export function noEngineBecause(refusal: ProvisioningBlockedError): NoEngineError {
  const seconds = refusal.retryAfterSeconds ?? (refusal.recoveryEtaSeconds > 0 ? refusal.recoveryEtaSeconds : DEFAULT_RETRY_S);
  return new NoEngineError(`${refusal.message} (${refusal.code})`, Math.max(1, Math.ceil(seconds)), { cause: refusal });
}
