import type { ProvisioningBlocked } from '@acexy/contracts';
import { CodedError } from '@acexy/service-kit/primitives';

/** What the reconcile loop last decided about new engines. Callers that wait for an engine get it in their answers. */
export class ProvisioningOutlook {
  /** Engines that were ordered and do not run yet. */
  pending = 0;
  /** Why the last start failed, if none has succeeded since; or null. */
  lastFailure: string | null = null;
  /** Why no further engine can be started, or null. */
  refusal: ProvisioningBlocked | null = null;
}

/** No engine is free for this request, and none will be soon: the answer is 503 with the reason. */
export class NoEngineError extends CodedError {
  readonly code = 'no_engine';

  constructor(readonly detail: ProvisioningBlocked) {
    super(detail.message);
  }
}
