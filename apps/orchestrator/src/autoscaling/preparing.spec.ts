import { afterEach, describe, expect, it } from 'vitest';
import {
  AUTH,
  eventually,
  leaseRequest,
  ListeningEngines,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { RuntimeUnreachableError } from '../runtime/engine-runtime.js';

const PULLING = { name: 'engine:latest', state: 'pulling', percent: 40, reason: null } as const;

describe('while no engine can be started', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());

  const ready = async (): Promise<object> => (await orchestrator.http.get('/health/ready')).body as object;

  it('while the image is pulled: nothing is tried, readiness shows the progress, and demand is served as soon as it is present', async () => {
    const runtime = new ListeningEngines();
    Object.assign(runtime.knobs, { preparing: 'image engine:latest is being pulled: 40 %', image: PULLING });
    orchestrator = await startOrchestrator({
      runtime,
      env: { MIN_REPLICAS: '2', AUTOSCALE_INTERVAL_S: '3600', MONITOR_INTERVAL_S: '3600' },
    });
    const { http } = orchestrator;
    await eventually(ready, (answer) => 'ready' in answer && answer.ready === true);
    expect(await ready()).toMatchObject({ status: 'degraded', circuit_state: 'closed', image: PULLING });

    const refused = await http.post('/provision/acestream').set(AUTH);
    expect([refused.status, refused.body]).toMatchObject([
      503,
      { detail: { should_wait: true, recovery_eta_seconds: 30, message: expect.stringContaining('40 %') as string } },
    ]);
    const lease = await http
      .post('/engines/lease')
      .set(AUTH)
      .send(leaseRequest({ wait_ms: 100 }));
    expect([lease.status, lease.body]).toMatchObject([503, { detail: { message: expect.stringContaining('40 %') as string } }]);
    expect(runtime.startCalls).toEqual([]);

    Object.assign(runtime.knobs, { preparing: null, image: { ...PULLING, state: 'present', percent: null } });
    runtime.emit({ type: 'prepared' });
    await eventually(ready, (answer) => 'engines' in answer && answer.engines === 2, 2000);
    expect(await ready()).toMatchObject({ status: 'ok', circuit_state: 'closed', image: { state: 'present' } });
  });

  it('while Docker is unreachable: nothing is tried, the circuit breaker stays closed, reads are answered, and demand is served when it is back', async () => {
    const runtime = new ListeningEngines();
    orchestrator = await startOrchestrator({
      runtime,
      env: { CIRCUIT_BREAKER_THRESHOLD: '1', MONITOR_INTERVAL_S: '3600', AUTOSCALE_INTERVAL_S: '3600' },
    });
    const { http } = orchestrator;
    await eventually(ready, (answer) => 'ready' in answer && answer.ready === true);
    const away = new RuntimeUnreachableError('no Docker Engine answers');
    Object.assign(runtime.knobs, { listFails: away, failStart: () => away });
    // Before the orchestrator notices.
    const early = await http.post('/provision/acestream').set(AUTH);
    expect([early.status, early.body]).toMatchObject([503, { detail: { code: 'runtime_unavailable', should_wait: true } }]);
    runtime.emit({ type: 'lost' });
    await eventually(ready, (answer) => 'ready' in answer && answer.ready === false);
    const tried = runtime.startCalls.length;
    const lease = await http
      .post('/engines/lease')
      .set(AUTH)
      .send(leaseRequest({ wait_ms: 100 }));
    expect([lease.status, lease.body]).toMatchObject([
      503,
      {
        detail: {
          code: 'runtime_unavailable',
          message: 'no engine can be started: container runtime unreachable: no Docker Engine answers',
          recovery_eta_seconds: 10,
        },
      },
    ]);
    const refused = await http.post('/provision/acestream').set(AUTH);
    expect([refused.status, refused.body]).toMatchObject([503, { detail: { code: 'runtime_unavailable' } }]);
    const { body } = await http.get('/orchestrator/status');
    expect((body as { provisioning: object }).provisioning).toMatchObject({
      can_provision: false,
      blocked_reason_details: { code: 'runtime_unavailable' },
    });
    expect(await ready()).toMatchObject({
      error: { runtime: { message: 'container runtime unreachable: no Docker Engine answers' } },
    });
    expect((await http.get('/metrics')).text).toMatch(/^orch_runtime_reachable 0$/m);
    expect((await http.get('/engines')).status).toBe(200);
    expect(runtime.startCalls).toHaveLength(tried);

    Object.assign(runtime.knobs, { listFails: null, failStart: () => null });
    runtime.emit({ type: 'lost' });
    const served = await http
      .post('/engines/lease')
      .set(AUTH)
      .send(leaseRequest({ wait_ms: 3000 }));
    expect(served.status).toBe(200);
    expect(await ready()).toMatchObject({ ready: true, circuit_state: 'closed' });
  });
});
