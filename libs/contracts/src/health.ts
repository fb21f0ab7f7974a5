export const CIRCUIT_STATES = ['closed', 'open', 'half_open'] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

/** What a breaker of its own guards: starting engines, and starting one in place of an unhealthy one. */
export const OPERATION_TYPES = ['general', 'replacement'] as const;
export type OperationType = (typeof OPERATION_TYPES)[number];

/** The limits of provisioning in force and how much of them is used; in `GET /health/ready`. */
export interface ProvisioningStatus {
  max_concurrent: number;
  /** seconds */
  min_interval_s: number;
  in_progress: number;
  queued: number;
  /** How many more could be started at once. */
  remaining: number;
}
