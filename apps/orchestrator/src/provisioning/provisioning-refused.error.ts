import type { BlockedCode, ProvisioningBlocked } from '@acexy/contracts';

export interface Refusal {
  code: BlockedCode;
  message: string;
  /** When it is worth asking again; 0 where nothing is known to change. */
  recoveryEtaSeconds: number;
  canRetry: boolean;
  shouldWait: boolean;
}

/** No engine was started; says why and whether waiting helps (wire-api.md §1.2). */
export class ProvisioningRefusedError extends Error implements Refusal {
  readonly code: BlockedCode;
  readonly recoveryEtaSeconds: number;
  readonly canRetry: boolean;
  readonly shouldWait: boolean;

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.message, options);
    this.name = 'ProvisioningRefusedError';
    this.code = refusal.code;
    this.recoveryEtaSeconds = Math.ceil(refusal.recoveryEtaSeconds);
    this.canRetry = refusal.canRetry;
    this.shouldWait = refusal.shouldWait;
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
