/** The words and limits of the wire API, without decorators: importing them loads no validator. */

export const KEY_TYPES = ['content_id', 'infohash', 'url', 'magnet'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** 40 hexadecimal digits, either case. */
export const INFOHASH_PATTERN = /^[0-9a-fA-F]{40}$/;

export const STREAM_STATUSES = ['started', 'ended'] as const;
export type StreamStatus = (typeof STREAM_STATUSES)[number];

export const HEALTH_STATUSES = ['healthy', 'unhealthy', 'unknown'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

export const VPN_HEALTHS = ['healthy', 'unhealthy', 'starting', 'unknown'] as const;
export type VpnHealth = (typeof VPN_HEALTHS)[number];

export const ORCHESTRATOR_STATUSES = ['healthy', 'degraded', 'unavailable'] as const;

export const LEASE_PURPOSES = ['start', 'failover', 'reserve'] as const;
export type LeasePurpose = (typeof LEASE_PURPOSES)[number];

export const SESSION_STATES = ['starting', 'playing', 'failing_over', 'lingering'] as const;
export type ReportedSessionState = (typeof SESSION_STATES)[number];

/** Why provisioning is refused. All but `runtime_unavailable` are of the wire API (1.2); other clients pass an unknown code on as it is. */
export const BLOCKED_CODES = [
  'vpn_disconnected',
  'circuit_breaker',
  'max_capacity',
  'vpn_error',
  'general_error',
  'runtime_unavailable',
] as const;
export type BlockedCode = (typeof BLOCKED_CODES)[number];

export const CIRCUIT_STATES = ['closed', 'open', 'half_open'] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

/** Each has its own circuit breaker: starting engines, and starting an engine that replaces an unhealthy one. */
export const OPERATION_TYPES = ['general', 'replacement'] as const;
export type OperationType = (typeof OPERATION_TYPES)[number];

/** Maximum number of events of one kind in one `POST /events/batch`. */
export const EVENTS_PER_BATCH = 1000;

/** `provisioning` in `GET /health/ready`: the limits of provisioning and their use. */
export interface ProvisioningStatus {
  max_concurrent: number;
  /** seconds */
  min_interval_s: number;
  in_progress: number;
  queued: number;
  /** Number of engines that can be started at once. */
  remaining: number;
}

/** What a proxy does with its id when another proxy has a copy of it. */
export const PROXY_ID_VERDICTS = ['keep', 'replace'] as const;
export type ProxyIdVerdict = (typeof PROXY_ID_VERDICTS)[number];
