import type { EngineState } from '@acexy/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import {
  eventually,
  ListeningEngines,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { type EngineInstance, type EngineSpec, type NetworkOwner, RuntimeFailedError } from '../runtime/engine-runtime.js';

/** Engines in the network of a container that can be restarted. */
class EnginesBehindGluetun extends ListeningEngines {
  owner: NetworkOwner = {
    id: 'g',
    name: 'gluetun',
    running: true,
    state: 'running',
    health: 'healthy',
    host: '127.0.0.1',
    startedAt: 1000,
  };
  readonly rejoined: string[] = [];
  private looked = (): void => undefined;

  constructor(private readonly rejoinFails: boolean) {
    super();
    this.networkOwners = {
      inspect: async () => this.owner,
      watch: (_, listener) => {
        this.looked = listener;
        return async () => undefined;
      },
      rejoin: async (id) => {
        this.rejoined.push(id);
        if (this.rejoinFails) throw new RuntimeFailedError('no such container');
        this.join(id);
      },
    };
  }

  override async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    const { id } = await super.start(spec, signal);
    return this.join(id);
  }

  restartGluetun(): void {
    this.owner = { ...this.owner, startedAt: this.owner.startedAt + 60_000 };
    this.looked();
  }

  /** True if it is in the current network of the container. */
  private join(id: string): EngineInstance {
    const engine = { ...this.world.engines.get(id)!, network: { ownerId: this.owner.id, startedAt: this.owner.startedAt + 1 } };
    this.world.engines.set(id, engine);
    this.emit({ type: 'started', id });
    return engine;
  }
}

describe('engines of a restarted VPN container', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());

  const engines = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines?state=all')).body as EngineState[];
  const figure = async (outcome: string): Promise<number> => {
    const { text } = await orchestrator.http.get('/metrics');
    return Number(new RegExp(`orch_vpn_rejoins_total\\{vpn="gluetun",outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1]);
  };
  const start = async (runtime: EnginesBehindGluetun): Promise<string> => {
    const env = { GLUETUN_CONTAINER_NAME: 'gluetun', GLUETUN_API_PORT: '1', GLUETUN_HEALTH_CHECK_INTERVAL_S: '0.1', MIN_REPLICAS: '1' };
    orchestrator = await startOrchestrator({ env, runtime });
    const [{ container_id }] = await eventually(engines, (all) => all.length === 1 && all[0].health_status === 'healthy');
    return container_id;
  };

  it('rejoin its network', async () => {
    const runtime = new EnginesBehindGluetun(false);
    const id = await start(runtime);
    const before = await figure('restarted');
    runtime.restartGluetun();
    await eventually(
      () => figure('restarted'),
      (count) => count === before + 1,
    );
    expect(runtime.rejoined).toEqual([id]);
    await eventually(engines, (all) => all.some(({ container_id, health_status }) => container_id === id && health_status === 'healthy'));
  });

  it('are replaced if that fails, and the restart is not repeated forever', async () => {
    const runtime = new EnginesBehindGluetun(true);
    const id = await start(runtime);
    const before = await figure('failed');
    runtime.restartGluetun();
    await eventually(engines, (all) => all.length === 1 && all[0].container_id !== id && all[0].health_status === 'healthy');
    expect(runtime.rejoined).toEqual([id]);
    expect(await figure('failed')).toBe(before + 1);
  });
});
