/** The schemas of the proxy's JSON answers. A test compares them with real answers. */
import { isOpen, SESSION_STATES } from '../sessions/session-state.js';

const text = { type: 'string' };
const integer = { type: 'integer', minimum: 0 };
const number = { type: 'number', minimum: 0 };
const orNull = <Schema extends object>(schema: Schema) => ({ ...schema, nullable: true });
const listOf = (items: object) => ({ type: 'array', items });
/** Every property is always present, unless it is in `optional`. */
const object = (properties: Record<string, object>, optional: Record<string, object> = {}) => ({
  type: 'object',
  properties: { ...properties, ...optional },
  required: Object.keys(properties),
});

const OK = { type: 'string', enum: ['ok'] };

const STREAM = {
  clients: integer,
  failovers: integer,
  stream: object({ key_type: { type: 'string', enum: ['content_id', 'infohash'] }, key: text }),
  stream_id: { type: 'string', format: 'uuid' },
  state: { type: 'string', enum: SESSION_STATES.filter(isOpen) },
  infohash: orNull(text),
  title: orNull(text),
  started_at: { type: 'string', format: 'date-time' },
  uptime_s: integer,
  engine: orNull(object({ container_id: orNull(text), host: text, port: integer })),
  reserve: { ...orNull(text), description: 'Id of the standby engine' },
  stat_url: orNull(text),
  command_url: orNull(text),
  playback_session_id: orNull(text),
  bytes_in: integer,
  bitrate: { ...orNull(number), description: 'Bits per second' },
  codecs: listOf(text),
  buffer: orNull(object({ bytes: integer, seconds: number, max_bytes: integer })),
  hls: orNull(object({ viewers: integer, segments: integer, bytes: integer })),
  viewers: listOf(object({ id: integer, bytes_sent: integer, lag_bytes: integer, lag_ms: integer, skips: integer })),
};

/** By name of the check. */
const CHECKS = {
  type: 'object',
  additionalProperties: object({ status: { type: 'string', enum: ['up', 'down'] } }, { state: text, message: text }),
};
const ERROR = { statusCode: integer, error: text, message: text, detail: text };

export const SCHEMAS: Record<string, object> = {
  About: object({ name: text, description: text, endpoints: listOf(text) }),
  Error: object(ERROR, {
    retry_after: { ...integer, description: 'Seconds' },
    engines: { ...listOf(object({ engine: text, kind: text, reason: text })), description: 'The engines that were tried' },
  }),
  Overview: object({
    status: OK,
    streams: integer,
    clients: integer,
    limits: object({ clients: orNull(integer), clients_per_stream: orNull(integer) }),
    memory: object({ buffer_bytes: integer, buffer_budget_bytes: integer }),
    sessions: listOf(object(STREAM)),
  }),
  StreamStatus: object({ status: OK, ...STREAM }),
  Health: object({ status: OK, info: CHECKS, error: CHECKS, details: CHECKS }),
  Unready: object({ ...ERROR, status: { type: 'string', enum: ['error'] }, info: CHECKS, details: CHECKS }),
};
