/** Validates the replies of an orchestrator. Replies of other orchestrators have fewer fields. */
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
import { isObject, type JsonObject, toText } from '@acexy/service-kit/primitives';
import { type Endpoint, OrchestratorReplyError } from './errors.js';

const DEFAULT_RETRY_AFTER_MS = 500;

export function parseLeaseGranted(body: unknown): LeaseGranted {
  const reply = object('lease', body);
  const engine = toEngineState(reply.engine);
  if (!engine) throw invalid('lease', 'the engine has no address');
  return {
    lease_id: text('lease', reply, 'lease_id'),
    engine,
    expires_at: text('lease', reply, 'expires_at'),
    reason: toText(reply.reason) ?? '',
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
    last_start_failure: toText(reply.last_start_failure),
  };
}

export function parseReportAnswer(body: unknown): ReportAnswer {
  const reply = object('report', body);
  const ackSeq = count(reply.ack_seq);
  if (ackSeq === null) throw invalid('report', 'ack_seq is missing');
  return {
    boot_id: text('report', reply, 'boot_id'),
    ack_seq: ackSeq,
    leave: list(reply.leave).map((entry): LeaveOrder => {
      const order = object('report', entry);
      return {
        container_id: text('report', order, 'container_id'),
        reason: toText(order.reason) ?? '',
        deadline: text('report', order, 'deadline'),
      };
    }),
    engines_wanted: count(reply.engines_wanted) ?? 0,
    ...((reply.identity === 'keep' || reply.identity === 'replace') && { identity: reply.identity }),
  };
}

export function parseProvisioned(body: unknown): ProvisionAcestreamResponse {
  const reply = object('provision', body);
  const port = (name: string): number => {
    const value = toPort(reply[name]);
    if (value === null) throw invalid('provision', `${name} is missing`);
    return value;
  };
  return {
    container_id: text('provision', reply, 'container_id'),
    container_name: toText(reply.container_name) ?? '',
    host_http_port: port('host_http_port'),
    container_http_port: port('container_http_port'),
    container_https_port: port('container_https_port'),
  };
}

/** Leaves out entries without an address. */
export function parseEngines(body: unknown): EngineState[] {
  return list(body).flatMap((entry) => toEngineState(entry) ?? []);
}

function toEngineState(entry: unknown): EngineState | null {
  if (!isObject(entry)) return null;
  const [id, host, port] = [toText(entry.container_id), toText(entry.host), toPort(entry.port)];
  if (id === null || host === null || port === null) return null;
  return {
    container_id: id,
    container_name: toText(entry.container_name) ?? '',
    host,
    port,
    labels: toLabels(entry.labels),
    forwarded: entry.forwarded === true,
    first_seen: toText(entry.first_seen) ?? '',
    last_seen: toText(entry.last_seen) ?? '',
    streams: list(entry.streams).filter((stream): stream is string => typeof stream === 'string'),
    health_status: isHealthStatus(entry.health_status) ? entry.health_status : 'unknown',
    last_health_check: toText(entry.last_health_check),
    last_stream_usage: toText(entry.last_stream_usage),
    ...(typeof entry.image === 'string' && { image: entry.image }),
    ...(typeof entry.outdated === 'boolean' && { outdated: entry.outdated }),
  };
}

function toLabels(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

function object(endpoint: Endpoint, value: unknown): JsonObject {
  if (!isObject(value)) throw invalid(endpoint, 'not a JSON object');
  return value;
}

function text(endpoint: Endpoint, from: JsonObject, name: string): string {
  const value = toText(from[name]);
  if (value === null) throw invalid(endpoint, `${name} is missing`);
  return value;
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

function invalid(endpoint: Endpoint, problem: string): OrchestratorReplyError {
  return new OrchestratorReplyError(endpoint, 200, problem);
}
