import type { EngineState, VpnStatus } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker } from '../support/docker.js';
import { GluetunStack } from '../support/gluetun-stack.js';
import { contentId, type Pair } from '../support/pair.js';
import { GLUETUN_MISSING, networkNamespace } from '../support/real-gluetun.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

describe.skipIf(GLUETUN_MISSING !== null)('behind a real Gluetun', () => {
  const stack = new GluetunStack('gluetun');
  const [gluetun] = stack.gluetuns;
  let pair: Pair;

  // The pair starts before the VPN is connected: the orchestrator has to wait for it.
  beforeAll(async () => {
    await stack.start({
      orchestrator: {
        MAX_REPLICAS: '4',
        MAX_ACTIVE_REPLICAS: '4',
        GLUETUN_CONTAINER_NAME: gluetun.name,
        GLUETUN_API_KEY: 'key-of-gluetun',
      },
      gluetun: ['-e', 'HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE={"auth":"apikey","apikey":"key-of-gluetun"}'],
    });
    pair = stack.pair;
  }, 120_000);
  afterAll(() => stack.stop());

  const status = (): Promise<VpnStatus> => stack.status();
  const usable = (): Promise<EngineState[]> => stack.healthyEngines();

  it('the start waits for the VPN, and the first engines are behind it, without their own network and published ports', async () => {
    const engines = await until('two engines', async () => {
      const found = await usable();
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
      // The same namespace: packets of an engine can only leave through the VPN container.
      expect(await networkNamespace(container_id)).toBe(namespace);
      expect(port - pair.firstEnginePort).toBeLessThan(4);
    }
  });

  it('one engine gets and shows the forwarded port as soon as the VPN has it', async () => {
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

  it('after a restart of Gluetun its engines are unhealthy at once, have their network back within 30 s, and the viewer keeps its stream', async () => {
    await until('two healthy engines', async () => (await usable()).length >= 2, 30_000);
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    await viewer.untilBytes(1_000_000);
    const [stream] = await pair.startedStreams();
    const startedBefore = (await docker.getContainer(stream.container_id).inspect()).State.StartedAt;
    const restartedAt = performance.now();
    await gluetun.restart();
    await until('no engine is healthy', async () => (await usable()).length === 0, 10_000);
    const found = performance.now() - restartedAt;
    await until('two engines are healthy again', async () => (await usable()).length >= 2, 30_000);
    const back = performance.now() - restartedAt;
    const bytes = viewer.bytes;
    await viewer.untilBytes(bytes + 1_000_000, 30_000);
    const plays = performance.now() - restartedAt;
    expect(viewer.ended).toBe(false);
    // The same containers were restarted, not recreated.
    expect((await docker.getContainer(stream.container_id).inspect()).State.StartedAt).not.toBe(startedBefore);
    console.info(
      `Gluetun restarted: found after ${Math.round(found)} ms, engines back after ${Math.round(back)} ms, viewer has bytes after ${Math.round(plays)} ms`,
    );
    expect(back).toBeLessThan(30_000);
    await viewer.leave();
  });
});
