import type { ProvisioningBlocked } from '@acexy/contracts';

/** What the reconcile loop last found out about new engines; what those who wait for one are told. */
export class ProvisioningOutlook {
  /** Engines that were ordered and do not run yet. */
  pending = 0;
  /** Why no further engine can be had, or null. */
  refusal: ProvisioningBlocked | null = null;
}

/** There is no engine for this request and there will be none soon: 503 with the reason. */
export class NoEngineError extends Error {
  readonly code = 'no_engine';

  constructor(readonly detail: ProvisioningBlocked) {
    super(detail.message);
    this.name = 'NoEngineError';
  }
}
