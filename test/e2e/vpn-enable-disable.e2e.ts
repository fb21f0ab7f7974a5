/** Part of the long form (`npm run test:vpn`): a VPN is enabled and disabled in an existing installation. */
import type { VpnStatus } from '@acexy/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultImpact } from '../support/fault-impact.js';
import { docker } from '../support/docker.js';
import { GluetunStack } from '../support/gluetun-stack.js';
import { contentId, type Pair } from '../support/pair.js';
import { GLUETUN_MISSING } from '../support/real-gluetun.js';
import { until } from '../support/until.js';

const LIMIT_MS = 240_000;
const skip = GLUETUN_MISSING !== null || !process.env.VPN_FAULTS;

const stack = new GluetunStack('enable');
const [gluetun] = stack.gluetuns;
let pair: Pair;

beforeAll(async () => {
  if (skip) return;
  // Engines that play with and without a tunnel.
  await stack.start({ orchestrator: { STOP_ENGINES_ON_EXIT: 'false' }, needTunnel: false });
  pair = stack.pair;
}, 120_000);
afterAll(async () => {
  if (!skip) await stack.stop();
});

/** For every engine: whether it is in Gluetun's network. */
async function behind(): Promise<boolean[]> {
  const found = await docker.listContainers({ filters: { label: [stack.label] } });
  return found.map(({ HostConfig }) => HostConfig.NetworkMode.startsWith('container:'));
}

async function restartWith(settings: Record<string, string>): Promise<void> {
  await pair.orchestrator.stop();
  pair.startOrchestrator(settings);
  await pair.untilReady();
}

const usable = async (): Promise<number> => (await stack.healthyEngines()).length;

it.skipIf(skip)(
  'enabling the VPN replaces the engines one by one, disabling it keeps them, and viewers keep their stream',
  async () => {
    const impact = await FaultImpact.start('VPN set, and unset again', stack.label);
    const viewer = await impact.watch(pair.streamUrl(contentId(1)));
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
    impact.note('all behind it after');
    await viewer.untilBytes(viewer.bytes + 500_000);
    expect(impact.lost).toBe(0);

    const before = (await pair.engines()).map(({ container_id }) => container_id);
    await restartWith({});
    expect(await pair.api<VpnStatus>('/vpn/status')).toMatchObject({ enabled: false });
    await until('the engines are taken over', async () => (await usable()) >= 3, 60_000);
    expect((await pair.engines()).map(({ container_id }) => container_id)).toEqual(expect.arrayContaining(before));
    await viewer.untilBytes(viewer.bytes + 1_000_000);
    expect(impact.lost).toBe(0);
    expect(impact.longestPause).toBeLessThan(15);
    await impact.end();
  },
  LIMIT_MS,
);
