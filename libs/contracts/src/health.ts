export const CIRCUIT_STATES = ['closed', 'open', 'half_open'] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

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
