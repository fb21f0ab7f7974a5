import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, startOrchestrator, type TestOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';

let orchestrator: TestOrchestrator;
beforeAll(async () => {
  orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1' } });
});
afterAll(() => orchestrator.close());

// Express takes the first route that matches. Two modules serve paths below /engines, so AppModule has to import health before streams;
// in the other order an engine with the id "health-score" would be looked up.
it('GET /engines/health-score is not taken for GET /engines/:id, whose module comes later', async () => {
  const scores = await eventually(
    async () => orchestrator.http.get('/engines/health-score'),
    ({ status, body }) => status === 200 && (body as object[]).length === 1,
  );
  const [{ container_id: id }] = scores.body as { container_id: string }[];
  expect((await orchestrator.http.get(`/engines/${id}`)).body).toMatchObject({ engine: { container_id: id }, streams: [] });
  expect((await orchestrator.http.get('/engines/no-engine')).status).toBe(404);
});
