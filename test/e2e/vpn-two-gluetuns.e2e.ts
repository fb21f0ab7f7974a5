/** Part of the long form (`npm run test:vpn`): two real VPNs, of which one fails and recovers. */
import type { EngineState, VpnStatus } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultImpact } from '../support/fault-impact.js';
import { GluetunStack } from '../support/gluetun-stack.js';
import { contentId, type Pair } from '../support/pair.js';
import { GLUETUN_MISSING } from '../support/real-gluetun.js';
import { LEAK_DETECTOR_MISSING } from '../support/vpn-leak-detector.js';
import { until } from '../support/until.js';

const LIMIT_MS = 240_000;

describe.skipIf(GLUETUN_MISSING !== null || !process.env.VPN_FAULTS)('two VPNs', () => {
  const stack = new GluetunStack('two', 2);
  const [first, second] = stack.gluetuns;
  let pair: Pair;

  beforeAll(async () => {
    await stack.start({
      orchestrator: {
        MIN_REPLICAS: '4',
        MAX_REPLICAS: '8',
        MAX_ACTIVE_REPLICAS: '8',
        GLUETUN_CONTAINER_NAMES: `${first.name},${second.name}`,
        GLUETUN_PORT_CACHE_TTL_S: '5',
      },
      watchForLeaks: true,
      beforePair: async () => {
        second.forward(40_404);
        await Promise.all([first.untilHealthy(), second.untilHealthy()]);
      },
    });
    pair = stack.pair;
  }, 120_000);
  afterAll(() => stack.stop());

  const vpns = async (): Promise<NonNullable<VpnStatus['vpns']>> => (await pair.api<VpnStatus>('/vpn/status')).vpns ?? [];
  const engines = (): Promise<EngineState[]> => pair.api('/engines?state=all');
  const vpnOf = ({ labels }: EngineState): string => labels['acestream-orchestrator.vpn'];
  const usable = (): Promise<EngineState[]> => stack.healthyEngines();
  const inBalance = (): Promise<number[]> =>
    until(
      'both have the same number of engines',
      async () => {
        const [a, b] = (await vpns()).map(({ engines: count }) => count);
        return a + b >= 4 && Math.abs(a - b) <= 1 && (await usable()).length === a + b && [a, b];
      },
      120_000,
    );

  it(
    'have the same number of engines, and one engine of each has the forwarded port',
    async () => {
      await inBalance();
      for (const [{ name }, port] of [
        [first, 51_413],
        [second, 40_404],
      ] as const) {
        await until(
          `an engine with the port of ${name}`,
          async () => {
            const its = (await usable()).filter((engine) => vpnOf(engine) === name && engine.forwarded);
            return its.length === 1 && its[0].labels['acestream-orchestrator.vpn-port'] === String(port);
          },
          60_000,
        );
      }
      await inBalance();
    },
    LIMIT_MS,
  );

  it(
    'when one fails, its engines are replaced behind the other, no viewer is lost, and the balance returns after recovery',
    async () => {
      const impact = await FaultImpact.start('one of two VPNs dead', stack.label);
      for (const index of [1, 2, 3]) await impact.watch(pair.streamUrl(contentId(index)));
      const behindFirst = async (): Promise<number> => (await engines()).filter((engine) => vpnOf(engine) === first.name).length;
      await first.cut();
      await until('the outage is detected', async () => !(await vpns())[0].connected, 20_000);
      expect(impact.note('noticed after')).toBeLessThan(20);
      // The service still works with the other VPN.
      expect(await pair.api<VpnStatus>('/vpn/status')).toMatchObject({ connected: true, container_name: second.name });
      await until('no engine is left behind it', async () => (await behindFirst()) === 0, 90_000);
      impact.note('drained after');
      await until('the same number of engines behind the other VPN', async () => (await usable()).length >= 5, 60_000);
      impact.note('as many behind the other after');
      expect((await usable()).every((engine) => vpnOf(engine) === second.name)).toBe(true);
      expect(impact.lost).toBe(0);

      await first.repair();
      await until('the VPN is connected again', async () => (await vpns())[0].connected, 60_000);
      impact.note('connected again after');
      console.info(`balanced again: ${(await inBalance()).join(' and ')} engines`);
      impact.note('in balance after');
      expect(impact.lost).toBe(0);
      await impact.end();
    },
    LIMIT_MS,
  );

  it.skipIf(LEAK_DETECTOR_MISSING !== null)('no packet left outside the tunnels', () => {
    expect(stack.leaks?.seen).toEqual([]);
  });
});
