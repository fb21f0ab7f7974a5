import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RuntimeFailedError } from '../runtime/engine-runtime.js';
import {
  AUTH,
  eventually,
  leaseRequest,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';

describe('GET /metrics', () => {
  let orchestrator: TestOrchestrator;

  beforeAll(async () => {
    orchestrator = await startOrchestrator();
    await orchestrator.http.post('/provision/acestream').set(AUTH).expect(200);
    await eventually(
      async () => (await orchestrator.http.get('/engines')).body as unknown[],
      (engines) => engines.length === 1,
    );
    await orchestrator.http.post('/engines/lease').set(AUTH).send(leaseRequest()).expect(200);
  });
  afterAll(() => orchestrator.close());

  const scrape = async (): Promise<string[]> => (await orchestrator.http.get('/metrics').expect(200)).text.split('\n');
  const valueOf = async (series: string): Promise<number | undefined> => {
    const line = (await scrape()).find((candidate) => candidate.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };

  it.each([
    [
      'orch_provision',
      [
        'orch_provision_total{kind="acestream"}',
        'orch_provision_total{kind="generic"}',
        'orch_provision_duration_seconds_count{success="true"}',
        'orch_provision_duration_seconds_count{success="false"}',
      ],
    ],
    [
      'circuit_breaker',
      ['orch_circuit_breaker_state{operation_type="general"}', 'orch_circuit_breaker_failures{operation_type="general"}'],
    ],
    [
      'orch_api_duration',
      [
        'orch_api_duration_seconds_count{endpoint="/provision/acestream",method="POST"}',
        'orch_api_duration_seconds_count{endpoint="/engines",method="GET"}',
      ],
    ],
    ['orch_api_requests_total', ['orch_api_requests_total{endpoint="/engines/lease",method="POST",status="200"}']],
    [
      'orch_',
      [
        'orch_events_started_total',
        'orch_events_ended_total',
        'orch_streams_active',
        'orch_engines_total{health_status="healthy"}',
        'orch_circuit_state{state="closed"}',
        'orch_communication_errors_total{source="engine",error_type="engine_timeout"}',
      ],
    ],
  ])('a search for %s finds the metrics of the troubleshooting guide', async (word, series) => {
    const found = (await scrape()).filter((line) => line.includes(word));
    for (const one of series)
      expect(
        found.some((line) => line.startsWith(`${one} `)),
        one,
      ).toBe(true);
  });

  it('reports the pool, the leases, the queue, the loop and the database', async () => {
    expect(await valueOf('orch_engines_use{use="busy"}')).toBe(1);
    expect(await valueOf('orch_engines_lifecycle{lifecycle="ready"}')).toBe(1);
    expect(await valueOf('orch_pool_limit{limit="max"}')).toBe(20);
    expect(await valueOf('orch_leases_active')).toBe(1);
    expect(await valueOf('orch_leases_granted_total{purpose="start"}')).toBeGreaterThanOrEqual(1);
    expect(await valueOf('orch_lease_wait_seconds_count{purpose="start"}')).toBeGreaterThanOrEqual(1);
    expect(await valueOf('orch_provision_queue{state="waiting"}')).toBe(0);
    expect(await valueOf('orch_provision_queue_wait_seconds_count')).toBeGreaterThanOrEqual(1);
    expect(await valueOf('orch_reconcile_duration_seconds_count')).toBeGreaterThanOrEqual(1);
    expect(await valueOf('orch_reconcile_last_success_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 - 60);
    expect(await valueOf('orch_database_size_bytes{file="main"}')).toBeGreaterThan(0);
    expect(await valueOf('orch_database_queue_waiting')).toBe(0);
  });

  it('counts a refused provision by the code in the reply', async () => {
    const series = 'orch_provision_refused_total{code="general_error"}';
    const before = (await valueOf(series)) ?? 0;
    orchestrator.runtime.knobs.failStart = () => new RuntimeFailedError('the disk is full');
    await orchestrator.http.post('/provision/acestream').set(AUTH).expect(500);
    orchestrator.runtime.knobs.failStart = () => null;
    expect(await valueOf(series)).toBe(before + 1);
    expect(await valueOf('orch_circuit_breaker_failures{operation_type="general"}')).toBe(1);
  });

  it('labels requests with the pattern of their route, never with the path of a request', async () => {
    const { container_id: id } = ((await orchestrator.http.get('/engines')).body as { container_id: string }[])[0];
    await orchestrator.http.get(`/engines/${id}`).expect(200);
    for (let index = 0; index < 20; index += 1) await orchestrator.http.get(`/no/such/path-${index}?x=${index}`).expect(404);
    const endpoints = (await scrape()).flatMap((line) => /endpoint="([^"]*)"/.exec(line)?.[1] ?? []);
    expect(new Set(endpoints.filter((endpoint) => endpoint.includes('path-') || endpoint.includes(id)))).toEqual(new Set());
    expect(endpoints).toContain('/engines/:id');
    expect(endpoints).toContain('unmatched');
  });
});

it('behind a VPN the limit of the pool is what the VPN allows', async () => {
  const orchestrator = await startOrchestrator({
    env: { GLUETUN_CONTAINER_NAME: '127.0.0.1', GLUETUN_API_PORT: '1', MAX_ACTIVE_REPLICAS: '4', MAX_REPLICAS: '20' },
  });
  try {
    expect((await orchestrator.http.get('/metrics').expect(200)).text).toContain('orch_pool_limit{limit="max"} 4');
  } finally {
    await orchestrator.close();
  }
});
