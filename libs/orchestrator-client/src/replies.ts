import type {
  ConsideredEngine,
  EngineState,
  LeaseGranted,
  LeaseWaiting,
  LeaveOrder,
  ProvisionAcestreamResponse,
  ReportAnswer,
} from '@acexy/contracts';
import { HEALTH_STATUSES, type HealthStatus } from '@acexy/contracts/vocabulary';
import { OrchestratorReplyError } from './errors.js';
import { isObject, type Endpoint } from './failures.js';

/** What the orchestrator answered, made sure of: nothing of a wrong shape gets further than here. */

type JsonObject = Record<string, unknown>;

const DEFAULT_RETRY_AFTER_MS = 500;

export function parseLeaseGranted(body: unknown): LeaseGranted {
  const reply = object('lease', body);
  const engine = toEngineState(reply.engine);
  if (!engine) throw wrong('lease', 'no engine with an address');
  return {
    lease_id: text('lease', reply, 'lease_id'),
    engine,
    expires_at: text('lease', reply, 'expires_at'),
    reason: optionalText(reply.reason) ?? '',
    considered: list(reply.considered).flatMap((entry): ConsideredEngine[] =>
      isObject(entry) && typeof entry.container_id === 'string'
        ? [{ container_id: entry.container_id, verdict: String(entry.verdict) }]
        : [],
    ),
  };
}

export function parseLeaseWaiting(body: unknown): LeaseWaiting {
  const reply = object('lease', body);
  return {
    state: 'waiting',
    retry_after_ms: count(reply.retry_after_ms) ?? DEFAULT_RETRY_AFTER_MS,
    position: count(reply.position) ?? 0,
    provisioning: count(reply.provisioning) ?? 0,
  };
}

export function parseReportAnswer(body: unknown): ReportAnswer {
  const reply = object('report', body);
  const ackSeq = count(reply.ack_seq);
  if (ackSeq === null) throw wrong('report', 'ack_seq is missing');
  return {
    boot_id: text('report', reply, 'boot_id'),
    ack_seq: ackSeq,
    leave: list(reply.leave).map((entry): LeaveOrder => {
      const order = object('report', entry);
      return {
        container_id: text('report', order, 'container_id'),
        reason: optionalText(order.reason) ?? '',
        deadline: text('report', order, 'deadline'),
      };
    }),
  };
}

export function parseProvisioned(body: unknown): ProvisionAcestreamResponse {
  const reply = object('provision', body);
  const port = (name: string): number => {
    const value = toPort(reply[name]);
    if (value === null) throw wrong('provision', `${name} is missing`);
    return value;
  };
  return {
    container_id: text('provision', reply, 'container_id'),
    container_name: optionalText(reply.container_name) ?? '',
    host_http_port: port('host_http_port'),
    container_http_port: port('container_http_port'),
    container_https_port: port('container_https_port'),
  };
}

/** The engines that can be reached; an entry without an address is of no use to anybody and is left out. */
export function parseEngines(body: unknown): EngineState[] {
  return list(body).flatMap((entry) => toEngineState(entry) ?? []);
}

/** Other orchestrators send fewer fields; what they do not say is unknown, empty or null. */
function toEngineState(entry: unknown): EngineState | null {
  if (!isObject(entry)) return null;
  const { container_id: id, host } = entry;
  const port = toPort(entry.port);
  if (typeof id !== 'string' || id === '' || typeof host !== 'string' || host === '' || port === null) return null;
  return {
    container_id: id,
    container_name: optionalText(entry.container_name) ?? '',
    host,
    port,
    labels: toLabels(entry.labels),
    forwarded: entry.forwarded === true,
    first_seen: optionalText(entry.first_seen) ?? '',
    last_seen: optionalText(entry.last_seen) ?? '',
    streams: list(entry.streams).filter((stream): stream is string => typeof stream === 'string'),
    health_status: isHealthStatus(entry.health_status) ? entry.health_status : 'unknown',
    last_health_check: optionalText(entry.last_health_check),
    last_stream_usage: optionalText(entry.last_stream_usage),
  };
}

function toLabels(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

function object(endpoint: Endpoint, value: unknown): JsonObject {
  if (!isObject(value)) throw wrong(endpoint, 'not an object');
  return value;
}

function text(endpoint: Endpoint, from: JsonObject, name: string): string {
  const value = optionalText(from[name]);
  if (value === null) throw wrong(endpoint, `${name} is missing`);
  return value;
}

function optionalText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.round(value) : null;
}

function toPort(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535 ? value : null;
}

function isHealthStatus(value: unknown): value is HealthStatus {
  return (HEALTH_STATUSES as readonly unknown[]).includes(value);
}

function wrong(endpoint: Endpoint, problem: string): OrchestratorReplyError {
  return new OrchestratorReplyError(endpoint, 200, problem);
}
