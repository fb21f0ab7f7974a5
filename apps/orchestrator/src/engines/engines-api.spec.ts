import type { EngineState, LeaseGranted, LeaseWaiting } from '@acexy/contracts';
import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AUTH,
  eventually,
  leaseRequest,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';

describe('the API of engines and leases', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());

  const engines = async (query = ''): Promise<EngineState[]> => (await orchestrator.http.get(`/engines${query}`)).body as EngineState[];
  const ready = (count: number): Promise<EngineState[]> =>
    eventually(
      () => engines(),
      (list) => list.length === count,
    );
  const lease = (overrides: Record<string, unknown> = {}) =>
    orchestrator.http.post('/engines/lease').set(AUTH).send(leaseRequest(overrides));

  it('engines that were made from other settings are shown as outdated at once after the change', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-'));
    const env = { MIN_REPLICAS: '1', ENGINE_CACHE_LIMIT_GB: '1' };
    orchestrator = await startOrchestrator({ folder, env });
    expect(await ready(1)).toMatchObject([{ image: 'fake', outdated: false }]);
    await orchestrator.stop();
    orchestrator = await startOrchestrator({
      folder,
      env: { ...env, ENGINE_CACHE_LIMIT_GB: '2' },
      runtime: orchestrator.runtime.restarted(),
    });
    expect(await ready(1)).toMatchObject([{ image: 'fake', outdated: true }]);
    const { text } = await orchestrator.http.get('/metrics');
    expect(text.split('\n')).toContain('orch_engines_outdated 1');
  });

  describe('with two engines', () => {
    beforeEach(async () => {
      orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '2', MAX_REPLICAS: '2', FULL_POOL_WAIT_S: '0.5' } });
      await ready(2);
    });

    it('GET /engines may be cached for 5 s, and is 304 while only last_seen and last_health_check change', async () => {
      const first = await orchestrator.http.get('/engines');
      expect(first.headers['cache-control']).toBe('max-age=5');
      expect(first.headers.etag).toMatch(/^W\/"/);
      const again = await orchestrator.http.get('/engines').set('If-None-Match', first.headers.etag);
      expect([again.status, again.text]).toEqual([304, '']);
      await lease();
      const changed = await orchestrator.http.get('/engines').set('If-None-Match', first.headers.etag);
      expect(changed.status).toBe(200);
    });

    it('an engine has every field that Go clients parse, with times as ISO 8601 or null', async () => {
      const [engine] = await engines();
      expect(engine).toMatchObject({ host: '127.0.0.1', forwarded: false, streams: [], health_status: 'healthy', last_stream_usage: null });
      for (const time of [engine.first_seen, engine.last_seen, engine.last_health_check])
        expect(new Date(time as string).toISOString()).toBe(time);
    });

    it('one engine is shown with its streams; an unknown one is 404 with a detail', async () => {
      const [{ container_id: id }] = await engines();
      expect((await orchestrator.http.get(`/engines/${id}`)).body).toMatchObject({ engine: { container_id: id }, streams: [] });
      const missing = await orchestrator.http.get('/engines/nobody');
      expect([missing.status, missing.body]).toMatchObject([404, { detail: 'no engine nobody' }]);
    });

    it('two leases get two engines; the third waits FULL_POOL_WAIT_S for one of them and is then rejected with the reason', async () => {
      const granted = await Promise.all([lease(), lease()]);
      expect(granted.map(({ status }) => status)).toEqual([200, 200]);
      expect(new Set(granted.map(({ body }) => (body as LeaseGranted).engine.container_id)).size).toBe(2);
      const ask = { request_id: randomUUID(), wait_ms: 50 };
      expect((await lease(ask)).status).toBe(202);
      const refused = await eventually(
        () => lease(ask),
        ({ status }) => status !== 202,
      );
      expect([refused.status, refused.body]).toMatchObject([
        503,
        { detail: { error: 'provisioning_blocked', code: 'max_capacity', should_wait: true } },
      ]);
      const { recovery_eta_seconds: eta } = (refused.body as { detail: { recovery_eta_seconds: number } }).detail;
      expect(eta).toBe(3);
      expect(refused.headers['retry-after']).toBe(String(eta));
    });

    it('a request whose content failed on every engine is refused at once while no other engine can be started', async () => {
      const both = (await engines()).map(({ container_id: id }) => id);
      const refused = await lease({ exclude: both, wait_ms: 1000 });
      expect([refused.status, refused.body]).toMatchObject([503, { detail: { code: 'max_capacity' } }]);
    });

    it('the same request id gets the same lease', async () => {
      const ask = leaseRequest();
      const [a, b] = await Promise.all([1, 2].map(() => orchestrator.http.post('/engines/lease').set(AUTH).send(ask)));
      expect((a.body as LeaseGranted).lease_id).toBe((b.body as LeaseGranted).lease_id);
    });

    it('a waiting caller is answered at once when an engine is released', async () => {
      const [first] = await Promise.all([lease(), lease()]);
      const waiting = lease({ wait_ms: 10_000 });
      const answer = waiting.then((response) => response);
      const { lease_id: id, engine } = first.body as LeaseGranted;
      expect((await orchestrator.http.delete(`/engines/lease/${id}`).set(AUTH)).body).toEqual({ released: id });
      const { status, body } = await answer;
      expect([status, (body as LeaseGranted).engine.container_id]).toEqual([200, engine.container_id]);
      expect((await orchestrator.http.delete(`/engines/lease/${id}`).set(AUTH)).status).toBe(404);
    });

    it('a request id releases a place in the queue, and a lease that was granted meanwhile', async () => {
      const [first] = await Promise.all([lease(), lease()]);
      const [gone, next] = [randomUUID(), randomUUID()];
      const giveUp = (id: string) => orchestrator.http.delete(`/engines/lease/${id}`).set(AUTH);
      const abandoned = lease({ request_id: gone, wait_ms: 10_000 }).then(({ body }) => body as LeaseWaiting);
      await eventually(
        () => orchestrator.http.get('/engines/lease/preview').query({ key_type: 'content_id', key: 'x' }).set(AUTH),
        ({ body }) => (body as { waiting: number }).waiting === 1,
      );
      const behind = lease({ request_id: next, wait_ms: 10_000 }).then(({ status }) => status);
      expect((await giveUp(gone)).body).toEqual({ released: gone });
      expect(await abandoned).toMatchObject({ state: 'waiting', position: 0 });
      expect((await giveUp((first.body as LeaseGranted).lease_id)).status).toBe(200);
      expect(await behind).toBe(200);
      expect([(await giveUp(next)).status, (await giveUp(next)).status]).toEqual([200, 404]);
    });

    it('gives a verdict for every engine; the preview gives the same and reserves nothing', async () => {
      const preview = await orchestrator.http.get('/engines/lease/preview').query({ key_type: 'content_id', key: 'x' }).set(AUTH);
      const { body } = await lease({ key: 'x' });
      const { engine, considered, reason } = body as LeaseGranted;
      expect(preview.body).toMatchObject({ engine: { container_id: engine.container_id }, reason, considered, waiting: 0 });
      expect(considered).toHaveLength(2);
      expect((await lease({ key: 'y', explain: false })).body).toMatchObject({ considered: [], reason: expect.any(String) as string });
    });

    it('never leases an engine twice for one content, and respects excluded engines', async () => {
      const first = (await lease({ key: 'same' })).body as LeaseGranted;
      const second = (await lease({ key: 'same' })).body as LeaseGranted;
      expect(second.engine.container_id).not.toBe(first.engine.container_id);
      await orchestrator.http.delete(`/engines/lease/${second.lease_id}`).set(AUTH);
      const excluded = await lease({ exclude: [second.engine.container_id], wait_ms: 0 });
      expect([excluded.status, (excluded.body as LeaseWaiting).state]).toEqual([202, 'waiting']);
    });

    it('requires the key, ignores unknown fields and rejects wrong values', async () => {
      expect((await orchestrator.http.post('/engines/lease').send(leaseRequest())).status).toBe(401);
      expect((await orchestrator.http.get('/engines/lease/preview')).status).toBe(401);
      expect((await lease({ colour: 'red' })).status).toBe(200);
      const wrong = await lease({ wait_ms: -1 });
      expect([wrong.status, (wrong.body as { detail: string }).detail]).toEqual([400, 'wait_ms must not be less than 0']);
    });

    it('a container is shown as the runtime lists it, and is gone when it is deleted', async () => {
      const [{ container_id: id, port }] = await engines();
      const { body } = await orchestrator.http.get(`/containers/${id}`);
      expect(body).toMatchObject({ id, status: 'running', ports: { [`${port}/tcp`]: [{ HostPort: String(port) }] } });
      expect((await orchestrator.http.delete(`/containers/${id}`)).status).toBe(401);
      expect((await orchestrator.http.delete(`/containers/${id}`).set(AUTH)).body).toEqual({ deleted: id });
      expect((await orchestrator.http.get(`/containers/${id}`)).status).toBe(404);
      expect((await orchestrator.http.delete(`/containers/${id}`).set(AUTH)).status).toBe(404);
      await ready(2);
    });

    it('a wrong method is 405 with the allowed ones', async () => {
      const wrong = await orchestrator.http.post('/engines');
      expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET, HEAD']);
    });
  });

  it('the first lease with an empty pool starts an engine and waits for it', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '0' } });
    expect(await engines()).toEqual([]);
    expect((await lease()).status).toBe(200);
    expect(orchestrator.runtime.startCalls).toHaveLength(1);
  });

  it('ten simultaneous requests for ten contents get ten engines', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '0' } });
    const granted = await Promise.all(Array.from({ length: 10 }, () => lease()));
    expect(granted.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(new Set(granted.map(({ body }) => (body as LeaseGranted).engine.container_id)).size).toBe(10);
    expect(orchestrator.runtime.startCalls).toHaveLength(10);
  });

  it('a waiting caller gets its place in the queue and the number of starting engines', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '0' } });
    orchestrator.runtime.silent.add('all');
    const ask = leaseRequest({ wait_ms: 300 });
    const waiting = await orchestrator.http.post('/engines/lease').set(AUTH).send(ask);
    expect([waiting.status, waiting.body]).toMatchObject([202, { state: 'waiting', position: 1, provisioning: 1 }]);
    const behind = await lease({ wait_ms: 0 });
    expect((behind.body as LeaseWaiting).position).toBe(2);
    // A caller that waited here may ask again without a pause.
    expect([waiting, behind].map(({ body }) => (body as LeaseWaiting).retry_after_ms)).toEqual([0, 250]);
    expect((await orchestrator.http.get('/engines')).body).toEqual([]);
    expect(await engines('?state=all')).not.toEqual([]);
  });

  it('an engine that dies is replaced, and its request gets a new lease', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1' } });
    await ready(1);
    const ask = leaseRequest();
    const first = (await orchestrator.http.post('/engines/lease').set(AUTH).send(ask)).body as LeaseGranted;
    orchestrator.runtime.die(first.engine.container_id);
    await eventually(
      () => engines('?state=all'),
      (list) => list.every((each) => each.container_id !== first.engine.container_id),
    );
    const second = (await orchestrator.http.post('/engines/lease').set(AUTH).send(ask)).body as LeaseGranted;
    expect(second.lease_id).not.toBe(first.lease_id);
    // Its container is removed when it can no longer be about to restart.
    await eventually(
      async () => orchestrator.runtime.world.engines.has(first.engine.container_id),
      (left) => !left,
    );
  });

  it('waiting callers get 503 when the service ends, and do not delay its end', async () => {
    orchestrator = await startOrchestrator({ env: { MAX_REPLICAS: '1' } });
    await lease();
    const waiting = lease({ wait_ms: 20_000 }).then((response) => response);
    await eventually(
      async () =>
        (await orchestrator.http.get('/engines/lease/preview').query({ key_type: 'url', key: 'x' }).set(AUTH)).body as { waiting: number },
      (preview) => preview.waiting === 1,
    );
    await orchestrator.stop();
    const { status, body } = await waiting;
    expect([status, body]).toMatchObject([503, { detail: { message: 'the orchestrator is shutting down' } }]);
    expect(orchestrator.runtime.removeCalls).toEqual([]);
  });

  it('a call that takes too long is 504, and its operation continues', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', API_LONG_OPERATION_TIMEOUT_S: '1' } });
    const [{ container_id: id }] = await ready(1);
    orchestrator.runtime.knobs.removeMs = 1200;
    const { status, body } = await orchestrator.http.delete(`/containers/${id}`).set(AUTH);
    expect([status, (body as { detail: string }).detail]).toEqual([504, 'no result within 1 s; the operation continues']);
    await eventually(
      async () => (await orchestrator.http.get(`/containers/${id}`)).status,
      (now) => now === 404,
    );
  });

  it('lease ids and request ids must be UUIDs', async () => {
    orchestrator = await startOrchestrator();
    expect((await orchestrator.http.delete('/engines/lease/7').set(AUTH)).status).toBe(400);
    expect((await orchestrator.http.delete(`/engines/lease/${randomUUID()}`).set(AUTH)).status).toBe(404);
  });
});
