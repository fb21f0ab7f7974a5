import { register } from 'prom-client';
import { expect, it } from 'vitest';
import { FakeEngineRuntime, startFailure } from '../../../../test/doubles/orchestrator/fake-engine-runtime.js';
import { metered } from './metered-runtime.js';

const SPEC = { name: 'acestream-1', kind: 'acestream' as const, env: {}, labels: {}, ports: { http: 1, https: 2, api: 3, p2p: 4 } };

it('the calls of a metered runtime are timed by call and outcome, and failures are counted by their code', async () => {
  register.clear();
  const fake = new FakeEngineRuntime();
  const runtime = metered(fake);
  const { id } = await runtime.start(SPEC, new AbortController().signal);
  expect(await runtime.list()).toMatchObject([{ id }]);
  await runtime.remove(id, 0);
  fake.knobs.failStart = () => startFailure();
  await expect(runtime.start(SPEC, new AbortController().signal)).rejects.toThrow(startFailure().message);
  const metrics = await register.metrics();
  for (const labels of [
    'call="start",success="true"',
    'call="list",success="true"',
    'call="remove",success="true"',
    'call="start",success="false"',
  ])
    expect(metrics).toContain(`orch_runtime_call_seconds_count{${labels}} 1`);
  expect(metrics).toContain('orch_communication_errors_total{source="process",error_type="runtime_failed"} 1');
});
