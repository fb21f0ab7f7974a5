import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { anInstance } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { eventually, startOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { EngineRegistry } from './engine-registry.js';
import type { EngineSync } from './engine-sync.service.js';
import { FirstEngines } from './first-engines.js';

describe('in the first moment after the start, the list of engines', () => {
  let clock: FakeClock;
  let registry: EngineRegistry;
  let listed: () => void;
  let first: FirstEngines;
  let answered: boolean;

  beforeEach(() => {
    clock = new FakeClock();
    registry = new EngineRegistry(clock);
    const firstList = new Promise<boolean>((resolve) => (listed = () => resolve(true)));
    first = new FirstEngines(registry, { isSynced: true, knowsWhatRuns: () => firstList } as Partial<EngineSync> as EngineSync, clock);
    answered = false;
    void first.inService.then(() => (answered = true));
    first.onApplicationBootstrap();
  });
  afterEach(() => first.onModuleDestroy());

  const list = (...ids: string[]): void => {
    registry.observe(
      ids.map((id) => anInstance(id)),
      registry.mark(),
    );
    listed();
  };
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('waits until each engine of the earlier run has answered', async () => {
    await settled();
    expect(answered).toBe(false);
    list('a', 'b');
    registry.ready('a');
    await settled();
    expect(answered).toBe(false);
    registry.ready('b');
    await settled();
    expect(answered).toBe(true);
  });

  it('does not wait when there are none, nor for an engine that is being started', async () => {
    registry.add(anInstance('new'));
    list('new');
    await settled();
    expect(answered).toBe(true);
  });

  it('waits 1.5 s at most', async () => {
    list('silent');
    clock.advance(1_499);
    await settled();
    expect(answered).toBe(false);
    clock.advance(1);
    await settled();
    expect(answered).toBe(true);
  });
});

it('the first GET /engines after a restart lists the engines that run already', async () => {
  const before = await startOrchestrator({ env: { MIN_REPLICAS: '2' } });
  const list = async ({ http }: typeof before): Promise<unknown[]> => (await http.get('/engines')).body as unknown[];
  await eventually(
    () => list(before),
    (engines) => engines.length === 2,
  );
  await before.stop();
  const after = await startOrchestrator({ env: { MIN_REPLICAS: '2' }, runtime: before.runtime.restarted() });
  try {
    expect(await list(after)).toHaveLength(2);
  } finally {
    await after.close();
  }
});
