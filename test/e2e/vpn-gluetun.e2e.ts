import type { EngineState, VpnStatus } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, removeContainersWith, simulatorImageWith } from '../support/docker.js';
import { BEHIND_THE_TUNNEL, GLUETUN_MISSING, networkNamespace, RealGluetun } from '../support/real-gluetun.js';
import { contentId, Pair } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const IMAGE = 'acestream-engine-simulator-vpn:test';
const LABEL = `acestream-test.vpn=${process.pid}`;

describe.skipIf(GLUETUN_MISSING !== null)('behind a real Gluetun', () => {
  const gluetun = new RealGluetun(`gluetun-test-${process.pid}`, `gluetun-test-${process.pid}`);
  let pair: Pair;

  beforeAll(async () => {
    simulatorImageWith(IMAGE, { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200', SIM_TUNNEL_PROBE: BEHIND_THE_TUNNEL });
    gluetun.start('-e', 'HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE={"auth":"apikey","apikey":"key-of-gluetun"}');
    // Does not wait for the VPN: that is the orchestrator's to do.
    pair = await Pair.start({
      orchestrator: {
        ENGINE_RUNTIME: 'docker',
        TARGET_IMAGE: IMAGE,
        IMAGE_PULL: 'never',
        CONTAINER_LABEL: LABEL,
        MIN_REPLICAS: '2',
        MAX_REPLICAS: '4',
        MAX_ACTIVE_REPLICAS: '4',
        MIN_PROVISION_INTERVAL_S: '0.1',
        GLUETUN_CONTAINER_NAME: gluetun.name,
        GLUETUN_API_KEY: 'key-of-gluetun',
      },
    });
  }, 120_000);
  afterAll(async () => {
    await pair?.stop();
    await removeContainersWith(LABEL);
    await gluetun.removeAll();
  });

  const status = (): Promise<VpnStatus> => pair.api('/vpn/status');
  const usable = (engines: EngineState[]): EngineState[] => engines.filter(({ health_status }) => health_status === 'healthy');

  it('the start waits for the VPN, and the first engines are behind it: no network and no published port of their own', async () => {
    const engines = await until('two engines', async () => {
      const found = usable(await pair.engines());
      return found.length >= 2 && found;
    });
    expect(await status()).toMatchObject({
      enabled: true,
      connected: true,
      status: 'running',
      health: 'healthy',
      container_name: gluetun.name,
    });
    const namespace = await networkNamespace(gluetun.name);
    for (const { container_id, port } of engines) {
      const { HostConfig, NetworkSettings } = await docker.getContainer(container_id).inspect();
      expect(HostConfig.NetworkMode).toMatch(/^container:[0-9a-f]{64}$/);
      expect(Object.keys(NetworkSettings.Networks)).toEqual([]);
      expect(NetworkSettings.Ports).toEqual({});
      // The same namespace: no packet of an engine can leave by any other way than the VPN container's.
      expect(await networkNamespace(container_id)).toBe(namespace);
      expect(port - pair.firstEnginePort).toBeLessThan(4);
    }
  });

  it('one engine gets the forwarded port as soon as the VPN has it, and shows it', async () => {
    const { forwarded_port: port } = await until('a forwarded port', async () => {
      const answer = await status();
      return answer.forwarded_port !== null && answer;
    });
    const forwarded = await until(
      'an engine with it',
      async () => {
        const found = (await pair.engines()).filter(({ forwarded }) => forwarded);
        return found.length === 1 && found[0].health_status === 'healthy' && found[0];
      },
      30_000,
    );
    const { Config } = await docker.getContainer(forwarded.container_id).inspect();
    expect(Config.Env).toContain(`P2P_PORT=${port}`);
  });

  it('a restart of Gluetun: engines are found at once, have their network back within 30 s, and the viewer stays', async () => {
    await until('two engines that are well', async () => usable(await pair.engines()).length >= 2, 30_000);
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    await viewer.untilBytes(1_000_000);
    const [stream] = await pair.startedStreams();
    const startedBefore = (await docker.getContainer(stream.container_id).inspect()).State.StartedAt;
    const restartedAt = performance.now();
    await gluetun.restart();
    await until('no engine is believed well', async () => usable(await pair.engines()).length === 0, 10_000);
    const found = performance.now() - restartedAt;
    await until('two engines are well again', async () => usable(await pair.engines()).length >= 2, 30_000);
    const back = performance.now() - restartedAt;
    const bytes = viewer.bytes;
    await viewer.untilBytes(bytes + 1_000_000, 30_000);
    const plays = performance.now() - restartedAt;
    expect(viewer.ended).toBe(false);
    // The same containers, started again: they were not made anew.
    expect((await docker.getContainer(stream.container_id).inspect()).State.StartedAt).not.toBe(startedBefore);
    console.info(
      `Gluetun restarted: found after ${Math.round(found)} ms, engines back after ${Math.round(back)} ms, viewer has bytes after ${Math.round(plays)} ms`,
    );
    expect(back).toBeLessThan(30_000);
    await viewer.leave();
  });
});
