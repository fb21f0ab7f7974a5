import type { EngineState } from '@acexy/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import {
  eventually,
  ListeningEngines,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import type { EngineInstance } from '../runtime/engine-runtime.js';

/** Its list lags behind its events, like Docker's: the first list after a death still shows the engine as running. */
class LaggingList extends ListeningEngines {
  private stale: EngineInstance[] = [];

  override die(id: string): void {
    const engine = this.world.engines.get(id);
    if (engine) this.stale.push({ ...engine });
    super.die(id);
  }

  override async list(): Promise<EngineInstance[]> {
    const instances = await super.list();
    const stale = this.stale.splice(0);
    return instances.map((one) => stale.find(({ id }) => id === one.id) ?? one);
  }
}

describe('the sync with the container runtime', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());

  it('shows a death after its event although the list lags, without waiting for the next interval', async () => {
    const runtime = new LaggingList();
    orchestrator = await startOrchestrator({ runtime, env: { MIN_REPLICAS: '1', MONITOR_INTERVAL_S: '3600' } });
    const engines = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
    const [{ container_id: id }] = await eventually(engines, (list) => list.length === 1);
    runtime.die(id);
    await eventually(engines, (list) => list.every(({ container_id: other }) => other !== id));
    const { listCalls } = runtime;
    expect(listCalls).toBeLessThan(10);
  });
});
