import { readdirSync } from 'node:fs';
import { type ClientRequest, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pair, contentId } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import type { ServiceProcess } from '../support/service-process.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

/** Players that change channels faster than engines answer: most starts are abandoned before the engine has named the session. */
const PLAYERS = 4;
const ZAPS = 60;
const CHANNELS = 12;

describe('viewers that change channel fast', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200', SIM_JSON_DELAY_MS: '150' },
      orchestrator: { MIN_REPLICAS: '3', MAX_REPLICAS: '3', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_LINGER: '300ms' },
    });
    await until('three engines', async () => (await pair.engines()).length === 3);
  });
  afterAll(() => pair.stop());

  it('hundreds of starts and stops a minute leave no resources behind, and no engine has two sessions of one content', async () => {
    const before = await quiet();
    const players = Array.from({ length: PLAYERS }, async (_, player) => {
      for (let zap = 0; zap < ZAPS; zap++) {
        const request = open(contentId(1 + ((zap * 7 + player * 5) % CHANNELS)));
        // Leave at once, during the start, or after playback started.
        await sleep(((zap * 53 + player * 31) % 13) * 30);
        request.destroy();
      }
    });
    await Promise.all(players);

    const last = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    expect(last.status).toBe(200);
    await last.untilBytes(300_000);
    await last.leave();

    const after = await quiet();
    expect(after.sessions).toBeGreaterThan(before.sessions + 20);
    // The number of connections to engines and the orchestrator varies.
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 20);
    expect(pair.proxy.log).not.toMatch(/"level":"ERROR"/);
  });

  function open(id: string): ClientRequest {
    const request = get(pair.streamUrl(id), { agent: false }, (response) => {
      response.on('error', () => undefined).resume();
    });
    // The test closed the connection.
    request.on('error', () => undefined);
    return request;
  }

  /** Waits until nothing plays. Returns the sessions started so far, all of them stopped by the proxy, and the resources of the proxy. */
  async function quiet(): Promise<{ sessions: number; descriptors: number }> {
    await pair.untilNoStreams();
    await until('all stopped', async () => {
      const metrics = await pair.engineMetrics();
      return metrics.every(({ sessions, readers }) => sessions.active === 0 && readers.open === 0);
    });
    await until('every engine is free', async () => (await pair.engines()).every(({ streams }) => streams.length === 0));
    const metrics = await pair.engineMetrics();
    for (const { sessions, readers } of metrics) {
      expect(sessions).toMatchObject({ stopped: sessions.opened, superseded: 0, expired: 0 });
      expect(readers.maxPerSession).toBeLessThanOrEqual(1);
    }
    const text = await (await fetch(`${pair.proxyUrl}/metrics`)).text();
    for (const line of ['acexy_sessions{state="starting"} 0', 'acexy_sessions{state="stopping"} 0', 'acexy_viewers 0'])
      expect(text).toContain(line);
    return {
      sessions: metrics.reduce((sum, { sessions }) => sum + sessions.opened, 0),
      descriptors: readdirSync(`/proc/${pair.proxy.pid}/fd`).length,
    };
  }
});

describe('a viewer that changes channel while all engines are in use', () => {
  let pair: Pair;
  let otherProxy: ServiceProcess;
  let otherUrl: string;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '100', SIM_PREBUF_MS: '100' },
      orchestrator: { MIN_REPLICAS: '1', MAX_REPLICAS: '1', FULL_POOL_WAIT_S: '10' },
      // Longer than the test: only a stream that needs the engine ends the linger.
      proxy: { ACEXY_LINGER: '60s' },
    });
    const [port] = await freePorts(1);
    otherProxy = pair.startProxy(port);
    otherUrl = `http://127.0.0.1:${port}`;
    await until('the second proxy', async () => (await fetch(`${otherUrl}/health/ready`)).ok);
    await until('an engine', async () => (await pair.engines()).length === 1);
  });
  afterAll(async () => {
    await otherProxy?.stop();
    await pair?.stop();
  });

  it.each([
    ['over one proxy', () => pair.proxyUrl],
    ['over two proxies', () => otherUrl],
  ])('%s: its player closes the old connection seconds later, and gets the new channel at once then', async (_name, nextUrl) => {
    const before = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    await before.untilBytes(100_000);
    const next = Viewer.open(`${nextUrl()}/ace/getstream?id=${contentId(2)}`, { keep: false });
    // The player closes the old connection only now.
    await sleep(3000);
    await before.leave();
    const viewer = await next;
    expect(viewer.status).toBe(200);
    await viewer.untilBytes(100_000);
    await viewer.leave();
  });
});
