import type { ProvisionAcestreamResponse } from '@acexy/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import {
  AUTH,
  eventually,
  leaseRequest,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { startFailure } from '../../../../test/doubles/orchestrator/fake-engine-runtime.js';

describe('POST /provision/acestream', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());
  const provision = () => orchestrator.http.post('/provision/acestream').set(AUTH);

  it('answers 200 when the container runs, before the engine’s API answers, and needs no body', async () => {
    orchestrator = await startOrchestrator();
    orchestrator.runtime.silent.add('all');
    const { status, body, headers } = await provision();
    expect(status).toBe(200);
    const { container_id: id, container_name: name, ...ports } = body as ProvisionAcestreamResponse;
    expect(Object.values(ports).every(Number.isInteger)).toBe(true);
    expect((await orchestrator.http.get(`/containers/${id}`)).body).toMatchObject({ id, name });
    expect([headers['x-ratelimit-provisioning-limit'], headers['x-ratelimit-provisioning-remaining']]).toEqual(['5', '5']);
    expect(headers['x-circuit-state']).toBeUndefined();
  });

  it('null fields count as absent', async () => {
    orchestrator = await startOrchestrator();
    const nulls = { image: null, labels: null, host_port: null };
    expect((await provision().send({ ...nulls, env: { CONF: '--http-port=19321\n--bind-all' } })).status).toBe(200);
    expect((await provision().send({ ...nulls, env: null })).status).toBe(200);
  });

  it('every answer has the limit headers: 401, 400 and 503 too', async () => {
    orchestrator = await startOrchestrator({ env: { MAX_REPLICAS: '1' } });
    const unauthorised = await orchestrator.http.post('/provision/acestream');
    const wrong = await provision().send({ host_port: 'high' });
    const unreadable = await provision().set('Content-Type', 'application/json').send('{"host_port":');
    await provision();
    const refused = await provision();
    const answers = [unauthorised, wrong, unreadable, refused];
    expect(answers.map(({ status }) => status)).toEqual([401, 400, 400, 503]);
    expect(refused.body).toMatchObject({ detail: { error: 'provisioning_blocked', code: 'max_capacity' } });
    expect(answers.map(({ headers }) => headers['x-ratelimit-provisioning-limit'])).toEqual(['5', '5', '5', '5']);
    expect(refused.headers['x-ratelimit-provisioning-remaining']).toBe('0');
  });

  it('fifty simultaneous requests start at most MAX_REPLICAS engines, and each is answered', async () => {
    orchestrator = await startOrchestrator({ env: { MAX_REPLICAS: '7' } });
    const answers = await Promise.all(Array.from({ length: 50 }, () => provision()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(7);
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(43);
    expect(orchestrator.runtime.world.engines.size).toBe(7);
  });

  it('failures are 500 with the reason; when the circuit breaker is open, 503 with the remaining time and the state in a header', async () => {
    orchestrator = await startOrchestrator({ env: { CIRCUIT_BREAKER_THRESHOLD: '2' } });
    orchestrator.runtime.knobs.failStart = () => startFailure('no space left');
    const failed = await provision();
    expect([failed.status, failed.body]).toMatchObject([
      500,
      { detail: { error: 'provisioning_failed', code: 'general_error', message: 'no space left' } },
    ]);
    await provision();
    const refused = await provision();
    expect([refused.status, refused.body]).toMatchObject([503, { detail: { code: 'circuit_breaker', can_retry: false } }]);
    expect(refused.headers).toMatchObject({ 'x-circuit-state': 'open', 'retry-after': '5' });
    const { body } = await orchestrator.http.get('/health/ready');
    expect(body).toMatchObject({ ready: true, status: 'degraded', circuit_state: 'open' });
    expect((await orchestrator.http.get('/metrics')).text).toContain('orch_circuit_state{state="open"} 1');
  });

  it('on SIGTERM callers that wait for a start get 503 and Retry-After, whether it runs or is queued', async () => {
    orchestrator = await startOrchestrator({ env: { MAX_CONCURRENT_PROVISIONS: '1' } });
    orchestrator.runtime.knobs.startHangs = true;
    const waiting = Promise.all([provision(), provision()]);
    await eventually(
      async () => (await orchestrator.http.get('/health/ready')).body as { provisioning: { in_progress: number; queued: number } },
      ({ provisioning }) => provisioning.in_progress === 1 && provisioning.queued === 1,
    );
    await orchestrator.stop();
    for (const { status, body, headers } of await waiting) {
      const detail = { error: 'provisioning_blocked', message: 'the service is shutting down', should_wait: true };
      expect([status, body, headers['retry-after']]).toMatchObject([503, { detail }, '5']);
    }
  });

  it('continues when the caller has disconnected', async () => {
    orchestrator = await startOrchestrator();
    orchestrator.runtime.knobs.startMs = 200;
    const call = provision();
    call.end(() => undefined);
    await eventually(
      () => orchestrator.runtime.startCalls.length,
      (calls) => calls === 1,
    );
    call.abort();
    await eventually(
      () => orchestrator.runtime.world.engines.size,
      (size) => size === 1,
    );
  });

  it('an engine that never answers is removed after its startup grace and counts as a failed start', async () => {
    orchestrator = await startOrchestrator({
      env: { PROVISION_STARTUP_GRACE_S: '1', HEALTH_CHECK_TIMEOUT_S: '0.2', CIRCUIT_BREAKER_THRESHOLD: '1' },
    });
    orchestrator.runtime.silent.add('all');
    await provision();
    await eventually(
      () => orchestrator.runtime.world.engines.size,
      (size) => size === 0,
    );
    const { body } = await orchestrator.http.get('/health/ready');
    const output = `engine.log in its folder below`;
    const failure = new RegExp(
      `^engine acestream-[0-9a-f]{8} did not answer in time after its start; while it runs, ${output} .* shows why$`,
    );
    expect(body).toMatchObject({ circuit_state: 'open', last_start_failure: { reason: expect.stringMatching(failure) as string } });
    const refused = await provision();
    expect((refused.body as { detail: object }).detail).toMatchObject({
      code: 'circuit_breaker',
      message: expect.stringMatching(/The last start failed: engine acestream-\w+ did not answer in time/) as string,
    });
  });

  it('POST /health/circuit-breaker/reset closes one or both circuit breakers, and engines start again at once', async () => {
    orchestrator = await startOrchestrator({ env: { CIRCUIT_BREAKER_THRESHOLD: '1', MIN_REPLICAS: '1', AUTOSCALE_INTERVAL_S: '3600' } });
    orchestrator.runtime.knobs.failStart = () => startFailure('no space left');
    const circuit = async (): Promise<string> =>
      ((await orchestrator.http.get('/health/ready')).body as { circuit_state: string }).circuit_state;
    const reset = (query = '') => orchestrator.http.post(`/health/circuit-breaker/reset${query}`);
    await provision();
    expect(await circuit()).toBe('open');
    expect((await reset()).status).toBe(401);
    expect((await reset('?operation_type=replacement').set(AUTH)).body).toEqual({ message: 'circuit breaker reset: replacement' });
    expect(await circuit()).toBe('open');
    const wrong = await reset('?operation_type=all').set(AUTH);
    expect([wrong.status, (wrong.body as { detail: string }).detail]).toEqual([400, 'operation_type must be one of general, replacement']);
    orchestrator.runtime.knobs.failStart = () => null;
    const { status, body } = await reset().set(AUTH);
    expect([status, body]).toEqual([200, { message: 'circuit breaker reset: general, replacement' }]);
    expect(await circuit()).toBe('closed');
    await eventually(
      () => orchestrator.runtime.world.engines.size,
      (size) => size === 1,
    );
  });

  it('a released lease request leaves the queue, and the engine requested for it is revoked', async () => {
    orchestrator = await startOrchestrator({ env: { MAX_CONCURRENT_PROVISIONS: '1', MIN_PROVISION_INTERVAL_S: '60' } });
    const first = leaseRequest({ wait_ms: 0 });
    const second = leaseRequest({ wait_ms: 0 });
    for (const ask of [first, second]) await orchestrator.http.post('/engines/lease').set(AUTH).send(ask);
    const queued = async (): Promise<number> =>
      ((await orchestrator.http.get('/health/ready')).body as { provisioning: { queued: number } }).provisioning.queued;
    await eventually(queued, (waiting) => waiting === 1);
    await orchestrator.http.delete(`/engines/lease/${second.request_id as string}`).set(AUTH);
    await eventually(queued, (waiting) => waiting === 0);
    expect(orchestrator.runtime.startCalls).toHaveLength(1);
  });
});
