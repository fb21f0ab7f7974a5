import { describeEngineRuntime } from '../../../../test/doubles/orchestrator/engine-runtime.contract.js';
import { FakeEngineHost, FakeEngineRuntime, startFailure } from '../../../../test/doubles/orchestrator/fake-engine-runtime.js';

describeEngineRuntime('the fake', async () => {
  const world = new FakeEngineHost();
  const runtime = new FakeEngineRuntime(world);
  runtime.knobs.failStart = (spec) => (spec.env.FAIL ? startFailure() : null);
  runtime.knobs.startMs = 5;
  await runtime.open();
  let latest = runtime;
  let next = 20_000;
  const spec = () => ({
    name: `fake-${next}`,
    kind: 'acestream' as const,
    env: {},
    labels: { 'acestream-orchestrator': 'true' },
    ports: { http: next++, https: next++, api: next++, p2p: next++ },
  });
  return {
    runtime,
    createNext: () => (latest = new FakeEngineRuntime(world)),
    spec,
    failingSpec: () => ({ ...spec(), env: { FAIL: '1' } }),
    kill: async ({ id }) => latest.die(id, 137),
    occupy: async (port) => {
      world.occupiedPorts.add(port);
      return async () => void world.occupiedPorts.delete(port);
    },
    leftovers: async () => [...world.engines.keys()],
    dispose: async () => {},
  };
});
