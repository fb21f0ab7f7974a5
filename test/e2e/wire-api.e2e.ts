import type { EngineState } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OrchestratorProcess, type Reply } from '../support/orchestrator-process.js';
import { faultsOf, type Shape } from '../support/strict-shape.js';
import { until } from '../support/until.js';

/** Section 1 of the wire API, call by call, checked like a strictly typed client. One file, in the order of that section. */

const KEY = 'cd'.repeat(20);
const STREAM_ID = `${KEY}|p1`;

const engineState: Shape = {
  fields: {
    container_id: 'text',
    container_name: 'text',
    host: 'text',
    port: 'int',
    labels: { map: 'any text' },
    forwarded: 'bool',
    first_seen: 'time',
    last_seen: 'time',
    streams: { list: 'text' },
    health_status: { oneOf: ['healthy', 'unhealthy', 'unknown'] },
    last_health_check: 'time?',
    last_stream_usage: 'time?',
    image: 'text',
    outdated: 'bool',
  },
};
const streamState: Shape = {
  fields: {
    id: 'text',
    key_type: { oneOf: ['content_id', 'infohash', 'url', 'magnet'] },
    key: 'text',
    infohash: 'text?',
    title: 'text?',
    container_id: 'text',
    playback_session_id: 'text',
    stat_url: 'text',
    command_url: 'text',
    is_live: 'bool',
    started_at: 'time',
    ended_at: 'time?',
    status: { oneOf: ['started', 'ended'] },
  },
};
const container: Shape = {
  fields: {
    id: 'text',
    name: 'text',
    image: 'text',
    created: 'time',
    status: 'text',
    labels: { map: 'any text' },
    ports: { map: { nullable: { list: { fields: { HostIp: 'text', HostPort: 'text' } } } } },
  },
};
const blocked: Record<string, Shape> = {
  code: { oneOf: ['vpn_disconnected', 'circuit_breaker', 'max_capacity', 'vpn_error', 'general_error', 'runtime_unavailable'] },
  message: 'text',
  recovery_eta_seconds: 'int',
  can_retry: 'bool',
  should_wait: 'bool',
};
const circuitState: Shape = { oneOf: ['closed', 'open', 'half_open'] };
const breaker: Shape = { fields: { state: circuitState, failure_count: 'int', failure_threshold: 'int', recovery_timeout: 'int' } };
const terminus: Record<string, Shape> = {
  status: 'text',
  info: { map: { fields: { status: 'text' } } },
  error: { map: { fields: { status: 'text' } } },
  details: { map: { fields: { status: 'text' } } },
};
const vpnHealth: Shape = { oneOf: ['healthy', 'unhealthy', 'starting', 'unknown'] };
const batched: Shape = { list: { fields: { success: 'bool', stream_id: { optional: 'text' }, error: { optional: 'text' } } } };

const orchestratorStatus: Shape = {
  fields: {
    status: { oneOf: ['healthy', 'degraded', 'unavailable'] },
    engines: { fields: { total: 'int', running: 'int', healthy: 'int', unhealthy: 'int' } },
    streams: { fields: { active: 'int', total: 'int' } },
    capacity: { fields: { total: 'int', used: 'int', available: 'int', max_replicas: 'int', min_replicas: 'int' } },
    vpn: { fields: { enabled: 'bool', connected: 'bool', health: vpnHealth, container: 'text?', forwarded_port: 'int?' } },
    provisioning: {
      fields: {
        can_provision: 'bool',
        circuit_breaker_state: circuitState,
        last_failure: 'time?',
        blocked_reason: 'text?',
        blocked_reason_details: { nullable: { fields: blocked } },
      },
    },
    config: { fields: { auto_delete: 'bool', grace_period_s: 'int', target_image: 'text' } },
    timestamp: 'time',
  },
};

let orchestrator: OrchestratorProcess;
let engine: EngineState;

beforeAll(async () => {
  orchestrator = await OrchestratorProcess.start({ MIN_REPLICAS: '1', MAX_REPLICAS: '2', COLLECT_INTERVAL_S: '3600' });
  engine = await until('an engine', async () => (await orchestrator.get<EngineState[]>('/engines'))[0]);
});
afterAll(() => orchestrator.stop());

async function expectAnswer(answer: Promise<Reply>, status: number, shape: Shape): Promise<Reply> {
  const reply = await answer;
  expect([reply.status, reply.status === status ? faultsOf(shape, reply.body) : reply.body]).toEqual([status, []]);
  return reply;
}

const get = (path: string, headers?: Record<string, string>): Promise<Reply> => orchestrator.call('GET', path, undefined, headers);
const post = (path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply> =>
  orchestrator.call('POST', path, body, headers);

function startedEvent(): Record<string, unknown> {
  return {
    // The event of the Go fork: its own container's id, and the engine's published port on localhost.
    container_id: 'f00dbabe1234',
    engine: { host: 'localhost', port: engine.port },
    stream: { key_type: 'infohash', key: KEY },
    session: {
      playback_session_id: 'p1',
      stat_url: `http://localhost:${engine.port}/ace/stat/${KEY}/1`,
      command_url: `http://localhost:${engine.port}/ace/cmd/${KEY}/1`,
      is_live: 1,
    },
    labels: {},
    sent_by: 'a client of tomorrow',
  };
}

describe('the wire API, call by call', () => {
  it('GET /engines: the list, its max-age, and 304 for a matching ETag', async () => {
    const { headers } = await expectAnswer(get('/engines'), 200, { list: engineState });
    expect(headers.get('cache-control')).toBe('max-age=5');
    expect(headers.get('etag')).toMatch(/^W\/"/);
    const again = await get('/engines', { 'If-None-Match': headers.get('etag') ?? '' });
    expect([again.status, again.body, again.headers.get('etag')]).toEqual([304, '', headers.get('etag')]);
    await expectAnswer(get('/engines?state=all'), 200, { list: engineState });
  });

  it('GET /engines/{id}: the engine with its streams, or 404', async () => {
    await expectAnswer(get(`/engines/${engine.container_id}`), 200, { fields: { engine: engineState, streams: { list: streamState } } });
    await expectAnswer(get('/engines/nobody'), 404, { fields: { detail: 'text' } });
  });

  it('GET /engines/health-score: best first', async () => {
    const { body } = await expectAnswer(get('/engines/health-score'), 200, {
      list: {
        fields: {
          container_id: 'text',
          host: 'text',
          port: 'int',
          health_score: 'int',
          stream_count: 'int',
          health_status: { oneOf: ['healthy', 'unhealthy', 'unknown'] },
        },
      },
    });
    const scores = (body as { health_score: number }[]).map(({ health_score: score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(scores.every((score) => score >= 0 && score <= 100)).toBe(true);
  });

  it('POST /provision/acestream: without a body, with the Go fork’s, and 503 with the reason at the maximum', async () => {
    const provisioned: Shape = {
      fields: {
        container_id: 'text',
        container_name: 'text',
        host_http_port: 'int',
        container_http_port: 'int',
        container_https_port: 'int',
      },
    };
    const { headers, body } = await expectAnswer(post('/provision/acestream', { labels: {}, env: {}, colour: 'blue' }), 200, provisioned);
    expect([headers.get('x-ratelimit-provisioning-limit'), headers.get('x-ratelimit-provisioning-remaining')]).toEqual([
      expect.stringMatching(/^\d+$/),
      expect.stringMatching(/^\d+$/),
    ]);
    const refused = await expectAnswer(post('/provision/acestream'), 503, {
      fields: { detail: { fields: { error: { oneOf: ['provisioning_blocked'] }, ...blocked } } },
    });
    expect(refused.headers.get('x-ratelimit-provisioning-remaining')).toBe('0');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const { container_id: id } = body as { container_id: string };
    await expectAnswer(get(`/containers/${id}`), 200, container);
    await expectAnswer(orchestrator.call('DELETE', `/containers/${id}`), 200, { fields: { deleted: 'text' } });
    await expectAnswer(get(`/containers/${id}`), 404, { fields: { detail: 'text' } });
  });

  it('POST /provision: a runtime without containers rejects it', async () => {
    const { headers } = await expectAnswer(post('/provision', {}), 501, { fields: { detail: 'text' } });
    expect(headers.get('x-ratelimit-provisioning-limit')).toMatch(/^\d+$/);
  });

  it('GET /by-label: by name and value', async () => {
    const { body } = await expectAnswer(get('/by-label?key=acestream.http_port&value=' + engine.port), 200, { list: container });
    expect(body).toHaveLength(1);
    await expectAnswer(get('/by-label'), 400, { fields: { detail: 'text' } });
  });

  it('POST /events/stream_started: 202 with the stream on the right engine', async () => {
    const { body } = await expectAnswer(post('/events/stream_started', startedEvent()), 202, streamState);
    expect(body).toMatchObject({ id: STREAM_ID, container_id: engine.container_id, is_live: true, ended_at: null });
    const wrong = await expectAnswer(post('/events/stream_started', { ...startedEvent(), engine: { host: 'x' } }), 400, {
      fields: { detail: 'text' },
    });
    expect((wrong.body as { detail: string }).detail).toContain('engine.port');
  });

  it('GET /streams: by state and engine, with 304, and the statistics of one', async () => {
    const { headers } = await expectAnswer(get(`/streams?status=started&container_id=${engine.container_id}`), 200, { list: streamState });
    const again = await get(`/streams?status=started&container_id=${engine.container_id}`, {
      'If-None-Match': headers.get('etag') ?? '',
    });
    expect(again.status).toBe(304);
    const stats: Shape = {
      list: {
        fields: { ts: 'time', peers: 'int?', speed_down: 'int?', speed_up: 'int?', downloaded: 'int?', uploaded: 'int?', status: 'text?' },
      },
    };
    await expectAnswer(get(`/streams/${encodeURIComponent(STREAM_ID)}/stats?since=2026-01-01T00:00:00%2B01:00`), 200, stats);
    await expectAnswer(get(`/streams/${encodeURIComponent(STREAM_ID)}/stats?since=soon`), 400, { fields: { detail: 'text' } });
    await expectAnswer(get('/streams/nobody/stats'), 404, { fields: { detail: 'text' } });
  });

  it('POST /events/stream_ended: 202, and whether it changed the stream', async () => {
    const ended: Shape = { fields: { updated: 'bool', stream: { nullable: streamState } } };
    const { body } = await expectAnswer(post('/events/stream_ended', { stream_id: STREAM_ID, reason: 'eof', more: 1 }), 202, ended);
    expect(body).toMatchObject({ updated: true, stream: { status: 'ended' } });
    const again = await expectAnswer(post('/events/stream_ended', { stream_id: 'unknown' }), 202, ended);
    expect(again.body).toEqual({ updated: false, stream: null });
  });

  it('POST /events/batch: one answer per event, in order', async () => {
    const { body } = await expectAnswer(post('/events/batch', { started: [{}, startedEvent()], ended: [{ stream_id: STREAM_ID }] }), 200, {
      fields: { started: batched, ended: batched },
    });
    expect(body).toMatchObject({ started: [{ success: false }, { success: true, stream_id: STREAM_ID }], ended: [{ success: true }] });
  });

  it('POST /scale/{demand} and POST /gc: a manual minimum, and removals after it is lowered', async () => {
    const { body } = await expectAnswer(post('/scale/2'), 200, { fields: { scaled_to: 'int' } });
    expect(body).toEqual({ scaled_to: 2 });
    await until('two engines', async () => (await orchestrator.get<EngineState[]>('/engines')).length === 2);
    await expectAnswer(post('/scale/many'), 400, { fields: { detail: 'text' } });
    await expectAnswer(post('/gc'), 200, { fields: { status: { oneOf: ['ok'] } } });
    await until('one engine', async () => (await orchestrator.get<EngineState[]>('/engines?state=all')).length === 1);
  });

  it('GET /vpn/status: without a VPN', async () => {
    const { body } = await expectAnswer(get('/vpn/status'), 200, {
      fields: {
        enabled: 'bool',
        status: 'text',
        container_name: 'text?',
        container: 'text?',
        health: vpnHealth,
        connected: 'bool',
        forwarded_port: 'int?',
        last_check: 'time?',
        last_check_at: 'time?',
      },
    });
    expect(body).toMatchObject({ enabled: false, status: 'disabled', connected: false });
  });

  it('GET /health, /health/ready, /health/status, /orchestrator/status', async () => {
    await expectAnswer(get('/health'), 200, { fields: terminus });
    await expectAnswer(get('/health/ready'), 200, {
      fields: {
        ...terminus,
        status: { oneOf: ['ok', 'degraded'] },
        ready: 'bool',
        engines: 'int',
        active_streams: 'int',
        circuit_state: circuitState,
        provisioning: { fields: { max_concurrent: 'int', min_interval_s: 'number', in_progress: 'int', queued: 'int', remaining: 'int' } },
        timestamp: 'time',
      },
    });
    await expectAnswer(get('/health/status'), 200, {
      fields: {
        total_engines: 'int',
        healthy_engines: 'int',
        unhealthy_engines: 'int',
        marked_for_replacement: 'int',
        minimum_required: 'int',
        health_check_interval: 'int',
        circuit_breakers: { fields: { general: breaker, replacement: breaker } },
      },
    });
    const { body } = await expectAnswer(get('/orchestrator/status'), 200, orchestratorStatus);
    expect(body).toMatchObject({ status: 'healthy', capacity: { max_replicas: 2, min_replicas: 1 }, vpn: { enabled: false } });
  });

  it('POST /health/circuit-breaker/reset: one breaker, or 400', async () => {
    await expectAnswer(post('/health/circuit-breaker/reset?operation_type=general'), 200, { fields: { message: 'text' } });
    await expectAnswer(post('/health/circuit-breaker/reset?operation_type=luck'), 400, { fields: { detail: 'text' } });
  });

  it('GET /metrics: Prometheus text with the names that dashboards use', async () => {
    const { status, headers, body } = await get('/metrics');
    expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/plain')]);
    for (const name of ['orch_events_started_total', 'orch_collect_errors_total', 'orch_streams_active', 'circuit_breaker'])
      expect(body).toContain(name);
  });
});

describe('authentication and methods', () => {
  it.each([
    ['POST', '/provision'],
    ['POST', '/provision/acestream'],
    ['POST', '/scale/1'],
    ['POST', '/gc'],
    ['DELETE', '/containers/x'],
    ['GET', '/by-label?key=x'],
    ['POST', '/events/stream_started'],
    ['POST', '/events/stream_ended'],
    ['POST', '/events/batch'],
    ['POST', '/health/circuit-breaker/reset'],
    ['POST', '/engines/lease'],
    ['GET', '/engines/lease/preview'],
    ['GET', '/autoscaler/decisions'],
    ['PUT', '/proxies/0b0f1f9e-52d5-4b5f-8f35-0b5f6b7a1c11/report'],
  ])('%s %s is 401 without the key and with a wrong one', async (method, path) => {
    for (const authorization of ['', 'Bearer wrong']) {
      const { status, body } = await orchestrator.call(method, path, undefined, { Authorization: authorization });
      expect([status, faultsOf({ fields: { detail: 'text' } }, body)]).toEqual([401, []]);
    }
  });

  it.each([
    '/engines',
    '/streams',
    '/health',
    '/health/ready',
    '/health/status',
    '/orchestrator/status',
    '/vpn/status',
    '/metrics',
    '/docs',
  ])('GET %s needs no key', async (path) => {
    expect((await get(path, { Authorization: '' })).status).toBe(200);
  });

  it.each([
    ['DELETE', '/engines', 'GET, HEAD'],
    ['GET', '/provision/acestream', 'POST'],
    ['PUT', '/events/batch', 'POST'],
    ['POST', '/streams', 'GET, HEAD'],
    ['POST', '/containers/x', 'DELETE, GET, HEAD'],
    ['PATCH', '/orchestrator/status', 'GET, HEAD'],
  ])('%s %s is 405 and names the allowed methods', async (method, path, allow) => {
    const { status, headers, body } = await orchestrator.call(method, path);
    expect([status, headers.get('allow'), faultsOf({ fields: { detail: 'text' } }, body)]).toEqual([405, allow, []]);
  });

  it('GET /panel and other unknown paths are 404', async () => {
    for (const path of ['/panel', '/nothing']) await expectAnswer(get(path), 404, { fields: { detail: 'text' } });
  });

  it('a body that is not JSON or too long is rejected with a message', async () => {
    const broken = await fetch(`http://127.0.0.1:${orchestrator.port}/events/batch`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${orchestrator.apiKey}`, 'Content-Type': 'application/json' },
      body: '{"started":',
    });
    expect([broken.status, faultsOf({ fields: { detail: 'text' } }, await broken.json())]).toEqual([400, []]);
    await expectAnswer(post('/events/batch', { padding: 'x'.repeat(1_100_000) }), 413, { fields: { detail: 'text' } });
  });

  it('calls of proxies ignore unknown fields and name those that are missing', async () => {
    const ours = await post('/engines/lease', { mood: 'good' });
    expect([ours.status, JSON.stringify(ours.body)]).toEqual([400, expect.stringContaining('request_id must be a UUID')]);
    expect(JSON.stringify(ours.body)).not.toContain('mood');
    expect((await post('/events/stream_ended', { stream_id: 'x', mood: 'good' })).status).toBe(202);
  });
});
