/** Part of the long form (`npm run test:vpn`): a VPN that comes into the settings of a house that stands, and goes out of them. */
import type { VpnStatus } from '@acexy/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultImpact } from '../support/fault-impact.js';
import { docker, removeContainersWith, simulatorImageWith } from '../support/docker.js';
import { GLUETUN_MISSING, RealGluetun } from '../support/real-gluetun.js';
import { contentId, Pair } from '../support/pair.js';
import { until } from '../support/until.js';

const LABEL = `acestream-test.vpn-set=${process.pid}`;
const LIMIT_MS = 240_000;
const skip = GLUETUN_MISSING !== null || !process.env.VPN_FAULTS;

const gluetun = new RealGluetun(`gluetun-set-${process.pid}`, `gluetun-set-${process.pid}`);
let pair: Pair;

beforeAll(async () => {
  if (skip) return;
  gluetun.start();
  pair = await Pair.start({
    orchestrator: {
      ENGINE_RUNTIME: 'docker',
      // Engines that play with and without a tunnel.
      TARGET_IMAGE: simulatorImageWith('acestream-engine-simulator-fast:test', { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' }),
      IMAGE_PULL: 'never',
      CONTAINER_LABEL: LABEL,
      MIN_REPLICAS: '2',
      MAX_REPLICAS: '5',
      MAX_ACTIVE_REPLICAS: '5',
      MIN_PROVISION_INTERVAL_S: '0.1',
      STOP_ENGINES_ON_EXIT: 'false',
    },
  });
}, 120_000);
afterAll(async () => {
  await pair?.stop();
  await removeContainersWith(LABEL);
  if (!skip) await gluetun.removeAll();
});

/** Of every engine: whether it is in Gluetun's network. */
async function behind(): Promise<boolean[]> {
  const found = await docker.listContainers({ filters: { label: [LABEL] } });
  return found.map(({ HostConfig }) => HostConfig.NetworkMode.startsWith('container:'));
}

async function restartWith(settings: Record<string, string>): Promise<void> {
  await pair.orchestrator.stop();
  pair.startOrchestrator(settings);
  await pair.untilReady();
}

const usable = async (): Promise<number> => (await pair.engines()).filter(({ health_status }) => health_status === 'healthy').length;

it.skipIf(skip)(
  'engines from before the VPN was set are replaced one by one, those behind it play on when it is unset, and whoever watches stays',
  async () => {
    const day = await FaultImpact.begin('VPN set, and unset again', LABEL);
    const viewer = await day.watch(pair.streamUrl(contentId(1)));
    await until('three engines', async () => (await usable()) >= 3, 60_000);
    expect(await behind()).not.toContain(true);

    await gluetun.untilHealthy();
    await restartWith({ GLUETUN_CONTAINER_NAME: gluetun.name });
    await until(
      'all are behind it',
      async () => {
        const all = await behind();
        return all.length >= 3 && all.every(Boolean);
      },
      150_000,
    );
    day.note('all behind it after');
    await viewer.untilBytes(viewer.bytes + 500_000);
    expect(day.lost).toBe(0);

    const before = (await pair.engines()).map(({ container_id }) => container_id);
    await restartWith({});
    expect(await pair.api<VpnStatus>('/vpn/status')).toMatchObject({ enabled: false });
    await until('they are taken over', async () => (await usable()) >= 3, 60_000);
    expect((await pair.engines()).map(({ container_id }) => container_id)).toEqual(expect.arrayContaining(before));
    await viewer.untilBytes(viewer.bytes + 1_000_000);
    expect(day.lost).toBe(0);
    expect(day.longestPause).toBeLessThan(15);
    await day.end();
  },
  LIMIT_MS,
);
