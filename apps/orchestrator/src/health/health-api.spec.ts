import type { EngineState } from '@acexy/contracts';
import { Clock } from '@acexy/service-kit/primitives';
import { afterEach, describe, expect, it } from 'vitest';
import { EngineRegistry } from '../engines/engine-registry.js';
import { Readiness } from './readiness.js';
import { AUTH, eventually, startOrchestrator, type TestOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';

describe('health', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());

  const readiness = async (): Promise<{ status: number; body: Record<string, unknown> }> => {
    const { status, body } = await orchestrator.http.get('/health/ready');
    return { status, body: body as Record<string, unknown> };
  };

  it('/health is ok whatever the state of its dependencies', async () => {
    orchestrator = await startOrchestrator();
    orchestrator.runtime.knobs.listFails = new Error('Docker is unreachable');
    const { status, body } = await orchestrator.http.get('/health');
    expect([status, body]).toEqual([200, { status: 'ok', info: {}, error: {}, details: {} }]);
  });

  it('/health/ready has the format of terminus and the state of the service', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1' } });
    const { body } = await eventually(readiness, (answer) => answer.body.engines === 1);
    expect(body).toMatchObject({
      status: 'ok',
      ready: true,
      engines: 1,
      active_streams: 0,
      circuit_state: 'closed',
      provisioning: { max_concurrent: 5, min_interval_s: 0, in_progress: 0, queued: 0, remaining: 5 },
      details: { service: { status: 'up' }, reconcile: { status: 'up' }, runtime: { status: 'up' }, database: { status: 'up' } },
      error: {},
    });
    expect(new Date(body.timestamp as string).toISOString()).toBe(body.timestamp);
  });

  it('without an engine the service is ready but degraded', async () => {
    orchestrator = await startOrchestrator();
    expect(await eventually(readiness, (answer) => answer.status === 200)).toMatchObject({
      body: { ready: true, status: 'degraded', engines: 0 },
    });
  });

  it('/health/ready is 503 with all its keys while the runtime is unreachable, and 200 afterwards', async () => {
    orchestrator = await startOrchestrator({ env: { MONITOR_INTERVAL_S: '0.1' } });
    await eventually(readiness, (answer) => answer.status === 200);
    orchestrator.runtime.knobs.listFails = new Error('Docker is unreachable');
    const { body } = await eventually(readiness, (answer) => answer.status === 503);
    expect(body).toMatchObject({
      status: 'error',
      ready: false,
      circuit_state: 'closed',
      error: { runtime: { status: 'down' } },
      provisioning: {},
    });
    orchestrator.runtime.knobs.listFails = null;
    await eventually(readiness, (answer) => answer.status === 200);
  });

  it('/health/ready is 503 as soon as the shutdown begins, while /health is still ok', async () => {
    orchestrator = await startOrchestrator();
    await eventually(readiness, (answer) => answer.status === 200);
    orchestrator.app.get(Readiness).onModuleDestroy();
    expect(await readiness()).toMatchObject({
      status: 503,
      body: { ready: false, error: { service: { status: 'down', message: 'shutting down' } } },
    });
    expect((await orchestrator.http.get('/health')).status).toBe(200);
  });

  it('an engine that hangs becomes unhealthy, is replaced, drained and removed', async () => {
    orchestrator = await startOrchestrator({
      env: {
        MIN_REPLICAS: '1',
        HEALTH_CHECK_INTERVAL_S: '0.1',
        HEALTH_CHECK_TIMEOUT_S: '0.1',
        HEALTH_FAILURE_THRESHOLD: '2',
        HEALTH_UNHEALTHY_GRACE_PERIOD_S: '0.2',
        AUTOSCALE_INTERVAL_S: '0.2',
      },
    });
    const list = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
    const [engine] = await eventually(list, (engines) => engines.length === 1);
    orchestrator.runtime.silent.add(engine.container_name);
    await eventually(list, (engines) =>
      engines.some((each) => each.container_id === engine.container_id && each.health_status === 'unhealthy'),
    );
    await eventually(
      list,
      (engines) => engines.length === 1 && engines[0].container_id !== engine.container_id && engines[0].health_status === 'healthy',
    );
    expect(orchestrator.runtime.world.engines.size).toBe(1);
  });

  it('an engine that hangs is checked again before the interval ends, and found within seconds', async () => {
    orchestrator = await startOrchestrator({
      env: {
        MIN_REPLICAS: '1',
        HEALTH_CHECK_INTERVAL_S: '4',
        HEALTH_CHECK_TIMEOUT_S: '0.1',
        HEALTH_FAILURE_THRESHOLD: '4',
        RETRY_BACKOFF_S: '0.05',
      },
    });
    const list = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
    const [engine] = await eventually(list, (engines) => engines.length === 1);
    const checked = engine.last_health_check;
    orchestrator.runtime.silent.add(engine.container_name);
    await eventually(list, ([each]) => each.last_health_check !== checked);
    const missedAt = performance.now();
    await eventually(list, (engines) => engines.some(({ health_status }) => health_status === 'unhealthy'));
    // Four misses an interval apart would take 12 s from the first.
    expect(performance.now() - missedAt).toBeLessThan(10_000);
  });

  it('three engines that hang at once are replaced one at a time, and never fewer than the minimum are healthy', async () => {
    orchestrator = await startOrchestrator({
      env: {
        MIN_REPLICAS: '3',
        HEALTH_CHECK_INTERVAL_S: '0.1',
        HEALTH_CHECK_TIMEOUT_S: '0.1',
        HEALTH_FAILURE_THRESHOLD: '2',
        HEALTH_UNHEALTHY_GRACE_PERIOD_S: '0.1',
        HEALTH_REPLACEMENT_COOLDOWN_S: '0.3',
        AUTOSCALE_INTERVAL_S: '0.1',
      },
    });
    const list = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
    const before = await eventually(list, (engines) => engines.length === 3);
    const hanging = new Set(before.map(({ container_id }) => container_id));
    const removed: number[] = [];
    orchestrator.app.get(EngineRegistry).onChange(({ type, engine }) => {
      if (type !== 'draining' || !hanging.has(engine.id)) return;
      removed.push(performance.now());
      const healthy = orchestrator.app
        .get(EngineRegistry)
        .all()
        .filter(({ lifecycle, health }) => lifecycle === 'ready' && health === 'healthy');
      expect(healthy.length).toBeGreaterThanOrEqual(3);
    });
    for (const { container_name } of before) orchestrator.runtime.silent.add(container_name);
    await eventually(list, (engines) => engines.length === 3 && engines.every(({ container_id }) => !hanging.has(container_id)));
    expect(removed).toHaveLength(3);
    for (let at = 1; at < removed.length; at += 1) expect(removed[at] - removed[at - 1]).toBeGreaterThanOrEqual(290);
  });

  it('many engines are probed at the same time without a warning from Node', async () => {
    const warnings: string[] = [];
    const record = (warning: Error): number => warnings.push(`${warning.name}: ${warning.message}`);
    process.on('warning', record);
    try {
      orchestrator = await startOrchestrator({
        env: {
          MIN_REPLICAS: '24',
          MAX_REPLICAS: '24',
          MAX_CONCURRENT_PROVISIONS: '24',
          HEALTH_CHECK_INTERVAL_S: '1',
          HEALTH_CHECK_TIMEOUT_S: '1',
        },
      });
      const { runtime } = orchestrator;
      runtime.silent.add('all');
      await eventually(
        () => runtime.requests.length,
        (count) => count >= 24,
      );
      runtime.silent.clear();
      await eventually(readiness, (answer) => answer.body.engines === 24);
      const asked = runtime.requests.length;
      await eventually(
        () => runtime.requests.length,
        (count) => count >= asked + 24,
      );
    } finally {
      process.off('warning', record);
    }
    expect(warnings).toEqual([]);
  });

  it('says that events are missing when an engine vanishes without one, and stays ready', async () => {
    orchestrator = await startOrchestrator({ env: { MONITOR_INTERVAL_S: '0.1' } });
    const { app, http, runtime } = orchestrator;
    const { body: started } = await http.post('/provision/acestream').set(AUTH);
    const { container_id: id } = started as { container_id: string };
    await eventually(readiness, ({ body }) => body.engines === 1);
    const { listCalls } = runtime;
    await eventually(
      () => runtime.listCalls,
      (calls) => calls > listCalls + 1,
    );
    runtime.vanish(id, { silently: true });
    await eventually(readiness, ({ body }) => body.engines === 0);
    const clock = app.get(Clock);
    const later = clock.now.bind(clock);
    clock.now = () => later() + 10_000;
    const { status, body } = await eventually(readiness, (answer) => JSON.stringify(answer.body.info).includes('no events arrive'));
    expect(status).toBe(200);
    expect(body).toMatchObject({ info: { runtime: { status: 'up', message: expect.stringContaining('MONITOR_INTERVAL_S') as string } } });
    runtime.emit({ type: 'removed', id });
    await eventually(readiness, (answer) => !JSON.stringify(answer.body.info).includes('no events arrive'));
  });

  it('the metrics that dashboards scrape exist', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1' } });
    await eventually(readiness, (answer) => answer.body.engines === 1);
    const { text } = await orchestrator.http.get('/metrics');
    expect(text).toContain('orch_engines_total{health_status="healthy"} 1');
    for (const name of [
      'orch_events_started_total',
      'orch_events_ended_total',
      'orch_streams_active 0',
      'orch_provision_total{kind="acestream"}',
      'orch_provision_duration_seconds_count{success="true"}',
      'orch_circuit_state{state="closed"} 1',
      'circuit_breaker',
      'orch_api_requests_total{endpoint="/health/ready",method="GET",status="200"}',
      'orch_api_duration_seconds_bucket',
      'process_cpu_seconds_total',
    ]) {
      expect(text).toContain(name);
    }
  });
});
