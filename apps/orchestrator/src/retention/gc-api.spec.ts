import type { EngineState } from '@acexy/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import {
  AUTH,
  eventually,
  leaseRequest,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import type { CollectedGarbage } from './collected-garbage.js';

let orchestrator: TestOrchestrator;
afterEach(() => orchestrator.close());

const engines = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
const ready = (count: number): Promise<EngineState[]> => eventually(engines, (list) => list.length === count);
const provision = () => orchestrator.http.post('/provision/acestream').set(AUTH);

async function collect(): Promise<CollectedGarbage> {
  const { status, body } = await orchestrator.http.post('/gc').set(AUTH);
  expect([status, body]).toMatchObject([200, { status: 'ok' }]);
  return body as CollectedGarbage;
}

describe('POST /gc', () => {
  it('removes idle engines beyond the minimum without a grace period, and no leased one', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1' } });
    await ready(1);
    const lease = await orchestrator.http.post('/engines/lease').set(AUTH).send(leaseRequest());
    const { engine: leased } = lease.body as { engine: EngineState };
    await ready(2);
    await Promise.all([provision(), provision()]);
    const before = await ready(4);
    const { removed_engines: removed } = await collect();
    expect(removed).toHaveLength(2);
    const left = (await engines()).map(({ container_id: id }) => id);
    expect(left).toHaveLength(2);
    expect(left).toContain(leased.container_id);
    expect([...left, ...removed].sort()).toEqual(before.map(({ container_id: id }) => id).sort());
    expect((await collect()).removed_engines).toEqual([]);
  });

  it('removes stopped containers, without waiting for a restart', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '0' } });
    await provision();
    const [engine] = await ready(1);
    orchestrator.runtime.die(engine.container_id, 1, { silently: true });
    expect((await collect()).removed_containers).toEqual([engine.container_id]);
    expect(orchestrator.runtime.world.engines.size).toBe(0);
  });

  it('simultaneous calls share one run', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '0' } });
    await provision();
    await ready(1);
    orchestrator.runtime.knobs.removeMs = 300;
    const answers = await Promise.all([collect(), collect(), collect()]);
    expect(orchestrator.runtime.removeCalls).toHaveLength(1);
    expect(answers.map(({ removed_engines: removed }) => removed.length)).toEqual([1, 1, 1]);
  });

  it('requires the key, and another method is 405', async () => {
    orchestrator = await startOrchestrator();
    expect((await orchestrator.http.post('/gc')).status).toBe(401);
    const { status, headers } = await orchestrator.http.get('/gc');
    expect([status, headers.allow]).toEqual([405, 'POST']);
  });
});
