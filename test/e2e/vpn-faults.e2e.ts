/** The long form (`npm run test:vpn`): minutes, because a tunnel dies slowly. */
import type { EngineState, VpnStatus } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultImpact } from '../support/fault-impact.js';
import { GluetunStack } from '../support/gluetun-stack.js';
import { contentId, type Pair } from '../support/pair.js';
import { GLUETUN_MISSING } from '../support/real-gluetun.js';
import { LEAK_DETECTOR_MISSING } from '../support/vpn-leak-detector.js';
import { until } from '../support/until.js';

const LIMIT_MS = 240_000;

describe.skipIf(GLUETUN_MISSING !== null || !process.env.VPN_FAULTS)('when a real Gluetun fails', () => {
  const stack = new GluetunStack('faults');
  const [gluetun] = stack.gluetuns;
  let pair: Pair;

  beforeAll(async () => {
    await stack.start({ orchestrator: { GLUETUN_CONTAINER_NAME: gluetun.name, GLUETUN_PORT_CACHE_TTL_S: '5' }, watchForLeaks: true });
    pair = stack.pair;
  }, 120_000);
  afterAll(() => stack.stop());

  const status = (): Promise<VpnStatus> => stack.status();
  const usable = (): Promise<EngineState[]> => stack.healthyEngines();
  const forwarded = (port: number): Promise<EngineState> =>
    until(
      `an engine with port ${port}`,
      async () => {
        const answer = await status();
        return answer.forwarded_port === port && (await usable()).find((engine) => engine.forwarded);
      },
      120_000,
    );
  const provision = (): Promise<Response> =>
    fetch(`${pair.apiUrl}/provision/acestream`, { method: 'POST', headers: { Authorization: `Bearer ${pair.apiKey}` } });

  it(
    'a changed forwarded port has its engine replaced, and whoever watches on it stays',
    async () => {
      const its = await forwarded(51_413);
      const day = await FaultImpact.begin('forwarded port changed', stack.label);
      const viewer = await day.watch(pair.streamUrl(contentId(7)));
      // The forwarded engine is preferred, so this one is on it.
      await until('it is on that engine', async () => (await pair.startedStreams())[0]?.container_id === its.container_id);
      gluetun.forward(40_404);
      await forwarded(40_404);
      day.note('right port in use after');
      await until(
        'no engine is left with the old port',
        async () => {
          const engines = await pair.api<EngineState[]>('/engines?state=all');
          return engines.every(({ labels }) => labels['acestream-orchestrator.vpn-port'] !== '51413');
        },
        90_000,
      );
      await viewer.untilBytes(viewer.bytes + 1_000_000);
      expect(day.lost).toBe(0);
      expect(day.longestPause).toBeLessThan(5);
      await day.end();
    },
    LIMIT_MS,
  );

  it(
    'a dead tunnel is noticed within 15 s, nothing is started behind it, whoever watches gets bytes again, and engines are replaced one by one',
    async () => {
      const before = (await until('two free engines', async () => (await usable()).length >= 2 && usable(), 60_000)).map(
        (engine) => engine.container_id,
      );
      const day = await FaultImpact.begin('tunnel dead for 40 s', stack.label);
      const viewer = await day.watch(pair.streamUrl(contentId(8)));
      const cutAt = performance.now();
      await gluetun.cut();
      await until('disconnected', async () => !(await status()).connected, 30_000);
      day.note('dead tunnel noticed after');
      expect(performance.now() - cutAt).toBeLessThan(15_000);
      // Gluetun still calls itself healthy, so one engine a minute may be tried; with that one on its way the next is refused.
      const refused = await until('refused', async () => {
        const answer = await provision();
        return answer.status === 503 && answer;
      });
      expect(((await refused.json()) as { detail: object }).detail).toMatchObject({
        error: 'provisioning_blocked',
        code: 'vpn_disconnected',
        recovery_eta_seconds: 60,
        should_wait: true,
      });
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 40_000 - (performance.now() - cutAt))));
      expect(await status()).toMatchObject({ connected: false, health: 'healthy' });
      expect(await usable()).toEqual([]);
      // The pool's own for the viewer, before the cut, and the one try.
      expect(day.made).toBeLessThanOrEqual(2);
      const madeBefore = day.made;
      const mendedAt = performance.now();
      await gluetun.mend();
      await until('connected', async () => (await status()).connected, 60_000);
      console.info(`mended tunnel noticed after ${((performance.now() - mendedAt) / 1000).toFixed(1)} s`);
      await viewer.untilBytes(viewer.bytes + 1_000_000, 60_000);
      await until(
        'every engine of before is replaced',
        async () => {
          const engines = await pair.api<EngineState[]>('/engines?state=all');
          return engines.every(({ container_id }) => !before.includes(container_id)) && (await usable()).length >= 3;
        },
        120_000,
      );
      day.note('all replaced after');
      expect(day.lost).toBe(0);
      // One for each that was there, and no storm: at most one more that was on its way.
      expect(day.made - madeBefore).toBeLessThanOrEqual(before.length + 3);
      await day.end();
    },
    LIMIT_MS,
  );

  it(
    'a Gluetun that is made anew has new engines within 30 s of being healthy, and the viewer of before plays on',
    async () => {
      await until('two engines', async () => (await usable()).length >= 2, 60_000);
      const day = await FaultImpact.begin('Gluetun removed and made anew', stack.label);
      const viewer = await day.watch(pair.streamUrl(contentId(9)));
      await gluetun.remove();
      await until('not found', async () => (await status()).status === 'not_found', 10_000);
      day.note('removal noticed after');
      await until('no engine is believed well', async () => (await usable()).length === 0, 10_000);
      expect((await provision()).status).toBe(503);
      gluetun.start();
      await gluetun.untilHealthy();
      day.note('healthy again after');
      await until('two new engines', async () => (await usable()).length >= 2, 30_000);
      day.note('engines back after');
      await viewer.untilBytes(viewer.bytes + 1_000_000, 30_000);
      expect(day.lost).toBe(0);
      await day.end();
    },
    LIMIT_MS,
  );

  it.skipIf(LEAK_DETECTOR_MISSING !== null)('on none of these days a packet left beside the tunnel', () => {
    expect(stack.leaks?.seen).toEqual([]);
  });
});
