/** Faults of a simulated Gluetun with process engines, which a real Gluetun cannot produce on demand. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineState, VpnStatus } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GluetunSimulator } from '../support/gluetun-simulator.js';
import { OrchestratorProcess } from '../support/orchestrator-process.js';
import { contentId, Pair } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const LIMIT_MS = 180_000;

function settings(gluetun: GluetunSimulator): Record<string, string> {
  return {
    GLUETUN_CONTAINER_NAME: '127.0.0.1',
    GLUETUN_API_PORT: String(gluetun.port),
    GLUETUN_HEALTH_CHECK_INTERVAL_S: '0.5',
    GLUETUN_PORT_CACHE_TTL_S: '1',
    SIM_TUNNEL_PROBE: gluetun.tunnelTarget,
    MIN_REPLICAS: '2',
    MAX_REPLICAS: '5',
    MAX_ACTIVE_REPLICAS: '10',
    MIN_PROVISION_INTERVAL_S: '0.1',
  };
}

/** A pair behind the VPN, and the ids of all its engines so far. */
class World {
  readonly everyEngine = new Set<string>();

  constructor(
    readonly gluetun: GluetunSimulator,
    readonly pair: Pair,
  ) {}

  static async start(
    gluetunEnv: Record<string, string>,
    env: { orchestrator?: Record<string, string>; proxy?: Record<string, string> } = {},
  ) {
    const gluetun = await GluetunSimulator.start(gluetunEnv);
    try {
      const pair = await Pair.start({
        orchestrator: { ...settings(gluetun), ...env.orchestrator },
        proxy: env.proxy,
        engines: { SIM_BOOT_MS: '100', SIM_PREBUF_MS: '200' },
      });
      return new World(gluetun, pair);
    } catch (error) {
      await gluetun.kill();
      throw error;
    }
  }

  status(): Promise<VpnStatus> {
    return this.pair.api('/vpn/status');
  }

  async engines(): Promise<EngineState[]> {
    const engines = await this.pair.api<EngineState[]>('/engines?state=all');
    for (const { container_id } of engines) this.everyEngine.add(container_id);
    return engines;
  }

  async usable(): Promise<string[]> {
    return (await this.engines()).filter(({ health_status }) => health_status === 'healthy').map(({ container_id }) => container_id);
  }

  untilUsable(count: number, limitMs = 30_000): Promise<string[]> {
    return until(`${count} usable engines`, async () => (await this.usable()).length >= count && this.usable(), limitMs);
  }

  untilConnected(connected: boolean, limitMs = 30_000): Promise<unknown> {
    return until(connected ? 'connected' : 'disconnected', async () => (await this.status()).connected === connected, limitMs);
  }

  async watch(index: number): Promise<Viewer> {
    const viewer = await Viewer.open(this.pair.streamUrl(contentId(index)), { keep: false });
    await viewer.untilBytes(500_000);
    return viewer;
  }

  /** Duration of an outage that is too long to be a flap. Gluetun reports healthy all the time. */
  async outage(): Promise<void> {
    await this.gluetun.set({ tunnel: false });
    await this.untilConnected(false);
    await sleep(22_000);
    await this.gluetun.set({ tunnel: true });
    await this.untilConnected(true);
  }

  provision(): Promise<Response> {
    return fetch(`${this.pair.apiUrl}/provision/acestream`, { method: 'POST', headers: { Authorization: `Bearer ${this.pair.apiKey}` } });
  }

  async stop(): Promise<void> {
    await this.pair.stop();
    await this.gluetun.kill();
  }
}

/** Engines that were drained for the outage, in order, from the orchestrator's log. */
function drainsIn(log: string): { id: string; at: number }[] {
  return log
    .split('\n')
    .filter((line) => line.includes('its VPN was disconnected since it was started'))
    .map((line) => JSON.parse(line) as { engine_id: string; time: string })
    .map(({ engine_id, time }) => ({ id: engine_id, at: Date.parse(time) }));
}

describe('behind an older Gluetun with user name and password', () => {
  let world: World;
  let viewer: Viewer;

  beforeAll(async () => {
    world = await World.start(
      { GLUETUN_SIM_VERSION: '3.40', HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: '{"auth":"basic","username":"me","password":"s3cret"}' },
      { orchestrator: { GLUETUN_API_USERNAME: 'me', GLUETUN_API_PASSWORD: 's3cret' } },
    );
  });
  afterAll(() => world?.stop());

  it('the forwarded port is read from the older path, and one engine gets it', async () => {
    const forwarded = await until('an engine with the port', async () => (await world.engines()).find((engine) => engine.forwarded));
    expect(forwarded.labels['acestream-orchestrator.vpn-port']).toBe('51413');
    expect(await world.status()).toMatchObject({ connected: true, health: 'healthy', forwarded_port: 51_413, public_ip: '203.0.113.7' });
  });

  it('a short flap starts, restarts and drains no engine, and the viewer keeps its stream', async () => {
    viewer = await world.watch(1);
    await world.untilUsable(3);
    const before = (await world.engines()).map(({ container_id }) => container_id);
    await world.gluetun.set({ tunnel: false });
    await world.untilConnected(false);
    const atDown = (await world.engines()).length;
    await world.gluetun.set({ tunnel: true });
    await world.untilConnected(true);
    expect((await world.engines()).length).toBe(atDown);
    await viewer.untilBytes(viewer.bytes + 500_000);
    // The silent stream may have leased a standby engine before the flap was known, and the pool may have started another one.
    const after = await until('the previous engines are healthy', async () => {
      const usable = await world.usable();
      return before.every((id) => usable.includes(id)) && usable;
    });
    expect(after.length - before.length).toBeLessThanOrEqual(1);
    expect(world.pair.orchestrator.log).not.toContain('its VPN was disconnected');
  });

  it.each(['never', 'error', 'garbage'] as const)(
    'a control server that answers %s changes nothing while engines reach the Internet',
    async (answers) => {
      const checkedBefore = (await world.status()).last_check_at ?? '';
      await world.gluetun.set({ answers });
      const reported = await until('the state is reported', async () => {
        const status = await world.status();
        return (
          String(status.last_check_at) > checkedBefore && /does not answer|has status 500|no JSON/.test(String(status.reason)) && status
        );
      });
      expect(reported.connected).toBe(true);
      await world.gluetun.set({ answers: 'well' });
    },
  );

  it('without Gluetun no engine is started and the reason is reported; when it is back the viewer continues', async () => {
    await world.gluetun.kill();
    await world.untilConnected(false);
    // Gluetun does not answer, so not even one start is tried.
    const answer = await world.provision();
    expect([answer.status, await answer.json()]).toMatchObject([503, { detail: { code: 'vpn_disconnected', recovery_eta_seconds: 60 } }]);
    expect((await world.status()).reason).toContain('does not answer');
    await world.gluetun.launch();
    await world.untilConnected(true);
    await viewer.untilBytes(viewer.bytes + 500_000);
    expect(viewer.ended).toBe(false);
    await viewer.leave();
  });
});

it('with a wrong key the probes through engines decide: connected, no port, and the wrong setting is named', async () => {
  const gluetun = await GluetunSimulator.start({ HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: '{"auth":"apikey","apikey":"r1ght"}' });
  const started = OrchestratorProcess.start({ ...settings(gluetun), GLUETUN_API_KEY: 'wr0ng', VPN_START_TIMEOUT_S: '0.2' });
  try {
    const orchestrator = await started;
    const status = await until('the wrong key is reported', async () => {
      const answer = await orchestrator.get<VpnStatus>('/vpn/status');
      return String(answer.reason).includes('GLUETUN_API_KEY') && answer;
    });
    expect(status.forwarded_port).toBeNull();
    expect(JSON.stringify(status)).not.toContain('wr0ng');
  } finally {
    await (await started).stop();
    await gluetun.kill();
  }
});

/** Part of the long form (`npm run test:vpn`): an outage that is not a flap lasts longer than 20 s. */
describe.skipIf(!process.env.VPN_FAULTS)('a long outage', () => {
  const open = { HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: '{"auth":"none"}' };

  it(
    'ends streams cleanly when they cannot recover, starts no engine meanwhile, and no burst of starts follows',
    async () => {
      const world = await World.start(open, { proxy: { ACEXY_EMPTY_TIMEOUT: '5s' } });
      try {
        const viewer = await world.watch(1);
        await world.untilUsable(3);
        const before = new Set((await world.engines()).map(({ container_id }) => container_id));
        await world.gluetun.set({ tunnel: false, status: 'stopped', healthy: false, forwardedPorts: [] });
        await world.untilConnected(false);
        const lostAt = performance.now();
        await until('the stream has ended', async () => viewer.ended, 60_000);
        expect(viewer.error).toBeNull();
        // New viewers get the right status.
        const late = await fetch(world.pair.streamUrl(contentId(2)));
        expect([late.status, late.headers.has('retry-after')]).toEqual([503, true]);
        await until('an outage', async () => performance.now() - lostAt > 25_000, 40_000);
        expect(await world.usable()).toEqual([]);
        expect([...world.everyEngine].filter((id) => !before.has(id))).toEqual([]);

        let most = 0;
        await world.gluetun.set({ tunnel: true, status: 'running', healthy: true, forwardedPorts: [51_413] });
        await until(
          'all engines are new',
          async () => {
            const engines = await world.engines();
            most = Math.max(most, engines.length);
            return engines.every(({ container_id }) => !before.has(container_id)) && (await world.usable()).length >= 2;
          },
          90_000,
        );
        // One at a time: at most one more than before, and no replacement twice.
        expect(most).toBeLessThanOrEqual(before.size + 1);
        expect(world.everyEngine.size - before.size).toBeLessThanOrEqual(before.size + 1);
      } finally {
        await world.stop();
      }
    },
    LIMIT_MS,
  );

  it(
    'drains engines in use after the idle ones, one at a time, and moves their viewers',
    async () => {
      const world = await World.start(open);
      try {
        const viewers = [await world.watch(1), await world.watch(2)];
        await world.untilUsable(4);
        const before = (await world.engines()).map(({ container_id }) => container_id);
        await world.outage();
        await until(
          'all engines are new',
          async () => (await world.engines()).every(({ container_id }) => !before.includes(container_id)),
          120_000,
        );
        const drains = drainsIn(world.pair.orchestrator.log);
        expect(drains.map(({ id }) => id)).toEqual(expect.arrayContaining(before));
        const pauses = drains.slice(1).map(({ at }, index) => at - drains[index].at);
        console.info(`engines replaced one by one, with ${pauses.map((ms) => (ms / 1000).toFixed(1)).join(', ')} s between them`);
        // The replacement is ready before the next engine is drained.
        expect(Math.min(...pauses)).toBeGreaterThanOrEqual(1000);
        for (const viewer of viewers) {
          await viewer.untilBytes(viewer.bytes + 500_000);
          expect(viewer.ended).toBe(false);
          await viewer.leave();
        }
      } finally {
        await world.stop();
      }
    },
    LIMIT_MS,
  );

  it(
    'replaces no engine with VPN_RESTART_ENGINES_ON_RECONNECT=false',
    async () => {
      const world = await World.start(open, { orchestrator: { VPN_RESTART_ENGINES_ON_RECONNECT: 'false' } });
      try {
        const before = (await world.untilUsable(2)).sort();
        await world.outage();
        await world.untilUsable(2);
        // More than two checks after it is back.
        await sleep(5_000);
        expect((await world.usable()).filter((id) => before.includes(id)).sort()).toEqual(before);
      } finally {
        await world.stop();
      }
    },
    LIMIT_MS,
  );
});
