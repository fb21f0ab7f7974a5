import type { EngineState, ScaleAnswer, ScalingDecisionRecord } from '@acexy/contracts';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  AUTH,
  eventually,
  leaseRequest,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';

const QUICK_REMOVAL = { AUTO_DELETE: 'true', ENGINE_GRACE_PERIOD_S: '0.3', AUTOSCALE_INTERVAL_S: '3600' };

let orchestrator: TestOrchestrator;
afterEach(() => orchestrator.close());

async function decisions(query = ''): Promise<ScalingDecisionRecord[]> {
  return (await orchestrator.http.get(`/autoscaler/decisions${query}`).set(AUTH)).body as ScalingDecisionRecord[];
}

describe('POST /scale/{demand}', () => {
  const scale = (demand: string | number) => orchestrator.http.post(`/scale/${demand}`).set(AUTH);
  const engines = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
  const count = (wanted: number): Promise<EngineState[]> => eventually(engines, (list) => list.length === wanted);

  it('starts that many engines at once, returns the target, and keeps them while idle', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', ...QUICK_REMOVAL } });
    const { status, body } = await scale(4);
    expect([status, body]).toEqual([200, { scaled_to: 4 }]);
    const first = (await count(4)).map(({ container_id }) => container_id);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect((await engines()).map(({ container_id }) => container_id)).toEqual(first);
  });

  it('clamps the target to MAX_REPLICAS, and to at least the engines in use plus the minimum free', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '2', MAX_REPLICAS: '5', ...QUICK_REMOVAL } });
    expect((await scale(0)).body).toEqual({ scaled_to: 2 });
    await count(2);
    await orchestrator.http.post('/engines/lease').set(AUTH).send(leaseRequest());
    expect((await scale(1)).body).toEqual({ scaled_to: 3 });
    expect((await scale(1_000_000)).body).toEqual({ scaled_to: 5 });
    await count(5);
    expect(orchestrator.runtime.world.engines.size).toBe(5);
  });

  it('the next call replaces the minimum: the pool shrinks to it, and a playing engine stays', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '0', ...QUICK_REMOVAL } });
    await scale(4);
    await count(4);
    const lease = await orchestrator.http.post('/engines/lease').set(AUTH).send(leaseRequest());
    const { container_id: playing } = (lease.body as { engine: EngineState }).engine;
    expect((await scale(1)).body).toEqual({ scaled_to: 1 });
    expect((await count(1))[0].container_id).toBe(playing);
  });

  it('survives a restart, and POST /gc removes it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'scale-'));
    orchestrator = await startOrchestrator({ folder, env: { MIN_REPLICAS: '1', ...QUICK_REMOVAL } });
    await scale(3);
    await count(3);
    await orchestrator.stop();
    const runtime = orchestrator.runtime.restarted();
    orchestrator = await startOrchestrator({ folder, runtime, env: { MIN_REPLICAS: '1', ...QUICK_REMOVAL } });
    const [{ container_id: id }] = await count(3);
    await orchestrator.http.delete(`/containers/${id}`).set(AUTH);
    await eventually(engines, (list) => list.length === 3 && list.every((engine) => engine.container_id !== id));
    // After a restart, engines are cordoned for seconds; surplus ones are removed then.
    expect((await orchestrator.http.post('/gc').set(AUTH)).status).toBe(200);
    await count(1);
    expect((await decisions())[0].inputs.floor).toBeNull();
  });

  it.each(['-1', '1.5', 'many', '1e3', '99999999999999999999', '%20'])(
    '%s is a bad request, and the answer names the valid range',
    async (demand) => {
      orchestrator = await startOrchestrator();
      const { status, body } = await scale(demand);
      expect([status, (body as { detail: string }).detail]).toEqual([400, 'demand must be an integer of at least 0']);
    },
  );

  it('requires the API key', async () => {
    orchestrator = await startOrchestrator();
    expect((await orchestrator.http.post('/scale/3')).status).toBe(401);
    expect((await orchestrator.http.get('/autoscaler/decisions')).status).toBe(401);
    expect((await orchestrator.http.get('/scale/3')).status).toBe(405);
  });
});

describe('GET /autoscaler/decisions', () => {
  it('returns decisions with reasons and inputs, newest first', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '2' } });
    const all = await eventually(
      () => decisions(),
      (list) => list[0]?.inputs.free === 2,
    );
    const first = all.at(-1) as ScalingDecisionRecord;
    expect(first).toMatchObject({
      inputs: { total: 0, free: 0, busy: 0, waiting: 0, floor: null, min_free: 2, max: 20 },
      target: 2,
      started: 2,
      removed: [],
      reasons: ['engines to start: 2 (requests waiting: 0, engines to keep free: 2, free now: 0, free soon: 0)'],
    });
    expect(new Date(first.decided_at).toISOString()).toBe(first.decided_at);
    expect(all[0]).toMatchObject({ started: 0, target: 2, blocked: null });
    const orders = (await orchestrator.http.post('/scale/3').set(AUTH)).body as ScaleAnswer;
    expect(orders).toEqual({ scaled_to: 3 });
    await eventually(
      () => decisions(),
      (list) => list.some(({ inputs, started }) => inputs.floor === 3 && started === 1),
    );
    expect(await decisions('?limit=1')).toHaveLength(1);
  });

  it('says why a needed engine is not started', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' } });
    await eventually(
      () => decisions(),
      (list) => list[0]?.inputs.free === 1,
    );
    for (let viewer = 0; viewer < 2; viewer++)
      await orchestrator.http
        .post('/engines/lease')
        .set(AUTH)
        .send(leaseRequest({ wait_ms: 0 }));
    const [latest] = await eventually(
      () => decisions(),
      (list) => list[0].inputs.waiting === 1,
    );
    expect(latest).toMatchObject({
      started: 0,
      blocked: 'the limit of 1 engines is reached: raise MAX_REPLICAS (behind a VPN also MAX_ACTIVE_REPLICAS), or wait for a free engine',
    });
    expect(latest.reasons).toContainEqual(expect.stringContaining('the limit of 1 engines allows'));
  });

  it.each(['0', '301', 'all'])('limit=%s is a bad request', async (limit) => {
    orchestrator = await startOrchestrator();
    const { status, body } = await orchestrator.http.get(`/autoscaler/decisions?limit=${limit}`).set(AUTH);
    expect([status, (body as { detail: string }).detail]).toEqual([400, 'limit must be an integer from 1 to 300']);
  });
});
