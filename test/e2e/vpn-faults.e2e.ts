/** The long form (`npm run test:vpn`) takes minutes, because tunnel failures are detected slowly. */
import { setTimeout as sleep } from 'node:timers/promises';
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
    'a changed forwarded port replaces its engine, and its viewer keeps the stream',
    async () => {
      const its = await forwarded(51_413);
      const impact = await FaultImpact.start('forwarded port changed', stack.label);
      const viewer = await impact.watch(pair.streamUrl(contentId(7)));
      // The engine with the forwarded port is preferred, so this stream is on it.
      await until('the stream is on that engine', async () => (await pair.startedStreams())[0]?.container_id === its.container_id);
      gluetun.forward(40_404);
      await forwarded(40_404);
      impact.note('right port in use after');
      await until(
        'no engine is left with the old port',
        async () => {
          const engines = await pair.api<EngineState[]>('/engines?state=all');
          return engines.every(({ labels }) => labels['acestream-orchestrator.vpn-port'] !== '51413');
        },
        90_000,
      );
      await viewer.untilBytes(viewer.bytes + 1_000_000);
      expect(impact.lost).toBe(0);
      expect(impact.longestPause).toBeLessThan(5);
      await impact.end();
    },
    LIMIT_MS,
  );

  it(
    'a dead tunnel is detected within 15 s, no engine is started behind it, viewers get bytes again, and engines are replaced one by one',
    async () => {
      const before = (await until('two free engines', async () => (await usable()).length >= 2 && usable(), 60_000)).map(
        (engine) => engine.container_id,
      );
      const impact = await FaultImpact.start('tunnel dead for 40 s', stack.label);
      const viewer = await impact.watch(pair.streamUrl(contentId(8)));
      const cutAt = performance.now();
      await gluetun.cut();
      await until('disconnected', async () => !(await status()).connected, 30_000);
      impact.note('dead tunnel detected after');
      expect(performance.now() - cutAt).toBeLessThan(15_000);
      // Gluetun still reports healthy, so one start per minute is allowed. During that start the next request is rejected.
      const rejection = await until('the provision is rejected', async () => {
        const answer = await provision();
        return answer.status === 503 && answer;
      });
      expect(((await rejection.json()) as { detail: object }).detail).toMatchObject({
        error: 'provisioning_blocked',
        code: 'vpn_disconnected',
        recovery_eta_seconds: 60,
        should_wait: true,
      });
      await sleep(Math.max(0, 40_000 - (performance.now() - cutAt)));
      expect(await status()).toMatchObject({ connected: false, health: 'healthy' });
      expect(await usable()).toEqual([]);
      // One engine that the pool started for the viewer before the outage, and the one start.
      expect(impact.created).toBeLessThanOrEqual(2);
      const createdBefore = impact.created;
      const repairedAt = performance.now();
      await gluetun.repair();
      await until('connected', async () => (await status()).connected, 60_000);
      console.info(`repaired tunnel detected after ${((performance.now() - repairedAt) / 1000).toFixed(1)} s`);
      await viewer.untilBytes(viewer.bytes + 1_000_000, 60_000);
      await until(
        'all previous engines are replaced',
        async () => {
          const engines = await pair.api<EngineState[]>('/engines?state=all');
          return engines.every(({ container_id }) => !before.includes(container_id)) && (await usable()).length >= 3;
        },
        120_000,
      );
      impact.note('all replaced after');
      expect(impact.lost).toBe(0);
      // One replacement per engine, and only a few more that were already starting.
      expect(impact.created - createdBefore).toBeLessThanOrEqual(before.length + 3);
      await impact.end();
    },
    LIMIT_MS,
  );

  it(
    'a recreated Gluetun has new engines within 30 s of being healthy, and the viewer keeps its stream',
    async () => {
      await until('two engines', async () => (await usable()).length >= 2, 60_000);
      const impact = await FaultImpact.start('Gluetun removed and recreated', stack.label);
      const viewer = await impact.watch(pair.streamUrl(contentId(9)));
      await gluetun.remove();
      await until('not found', async () => (await status()).status === 'not_found', 10_000);
      impact.note('removal noticed after');
      await until('no engine is healthy', async () => (await usable()).length === 0, 10_000);
      expect((await provision()).status).toBe(503);
      gluetun.start();
      await gluetun.untilHealthy();
      impact.note('healthy again after');
      await until('two new engines', async () => (await usable()).length >= 2, 30_000);
      impact.note('engines back after');
      await viewer.untilBytes(viewer.bytes + 1_000_000, 30_000);
      expect(impact.lost).toBe(0);
      await impact.end();
    },
    LIMIT_MS,
  );

  it.skipIf(LEAK_DETECTOR_MISSING !== null)('no packet left outside the tunnel during these faults', () => {
    expect(stack.leaks?.seen).toEqual([]);
  });
});
