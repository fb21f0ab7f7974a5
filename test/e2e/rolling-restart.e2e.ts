import type { StreamState } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Balancer } from '../support/balancer.js';
import { Pair, contentId } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import type { ServiceProcess } from '../support/service-process.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

interface Status {
  streams: number;
  sessions: { stream_id: string; stream: { key: string } }[];
}

describe('two proxies behind a load balancer, restarted one by one', () => {
  let pair: Pair;
  let balancer: Balancer;
  let proxies: { port: number; service: ServiceProcess }[];

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_LINGER: '100ms', ACEXY_DRAIN_TIMEOUT: '3s' },
    });
    const [secondPort, address] = await freePorts(2);
    proxies = [
      { port: pair.proxyPort, service: pair.proxy },
      { port: secondPort, service: pair.startProxy(secondPort) },
    ];
    await Promise.all(proxies.map(({ port }) => until('ready', async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok)));
    balancer = await Balancer.listen(
      proxies.map(({ port }) => port),
      address,
    );
  });
  afterAll(async () => {
    balancer?.close();
    await Promise.all((proxies ?? []).map(({ service }) => service.stop()));
    await pair?.stop();
  });

  const watch = (index: number): Promise<Viewer> =>
    Viewer.open(`http://127.0.0.1:${balancer.port}/ace/getstream?id=${contentId(index)}`, { keep: false });
  const statusOf = async (port: number): Promise<Status> => (await (await fetch(`http://127.0.0.1:${port}/ace/status`)).json()) as Status;

  it('only viewers of the stopping proxy lose their stream, cleanly and after the drain timeout, and reach the other one at once', async () => {
    const viewers = new Map<string, Viewer>();
    for (const index of [1, 2]) viewers.set(contentId(index), await watch(index));
    await Promise.all([...viewers.values()].map((viewer) => viewer.untilBytes(500_000)));

    for (const proxy of proxies) {
      const { sessions } = await statusOf(proxy.port);
      expect(sessions).toHaveLength(1);
      const key = sessions[0].stream.key;
      const [own, other] = [viewers.get(key)!, [...viewers].find(([id]) => id !== key)![1]];
      const atSignal = own.bytes;
      proxy.service.kill('SIGTERM');

      await until('not ready', async () => (await fetch(`http://127.0.0.1:${proxy.port}/health/ready`)).status === 503);
      const refused = await fetch(`http://127.0.0.1:${proxy.port}/ace/getstream?id=${key}`);
      expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([503, 5]);
      expect(await refused.json()).toMatchObject({ error: 'the proxy is shutting down' });
      await own.untilBytes(atSignal + 400_000);
      expect(own.ended).toBe(false);
      await until('out of rotation', () => Promise.resolve(!balancer.inRotation.includes(proxy.port)));

      await own.closed;
      expect([own.ended, own.error]).toEqual([true, null]);
      expect(await proxy.service.exited).toEqual({ code: 0, signal: null });
      expect(proxy.service.log).toContain('waiting for viewers to leave');
      const ended = await until('the end is listed', async () =>
        (await pair.api<StreamState[]>('/streams?status=ended')).find(({ id }) => id === sessions[0].stream_id),
      );
      expect((await pair.engines()).find(({ container_id: id }) => id === ended.container_id)?.streams).toEqual([]);

      // The player reconnects through the load balancer.
      const again = await watch(Number.parseInt(key.replaceAll('c', ''), 16));
      expect(again.status).toBe(200);
      await again.untilBytes(300_000);
      viewers.set(key, again);
      expect((await statusOf(proxies.find(({ port }) => port !== proxy.port)!.port)).streams).toBe(2);
      await other.untilBytes(other.bytes + 300_000);
      expect(other.ended).toBe(false);

      proxy.service = pair.startProxy(proxy.port);
      await until('back in rotation', () => Promise.resolve(balancer.inRotation.length === 2));
      // Both proxies need a viewer before the next one stops.
      await again.leave();
      await until('one stream left', async () => (await statusOf(proxies.find(({ port }) => port !== proxy.port)!.port)).streams === 1);
      const moved = await untilOn(proxy.port, key);
      viewers.set(key, moved);
    }
    await Promise.all([...viewers.values()].map((viewer) => viewer.leave()));
    await until('every session was stopped', async () => {
      const metrics = await pair.engineMetrics();
      return metrics.every(({ sessions }) => sessions.active === 0 && sessions.opened === sessions.stopped);
    });
  });

  /** Opens a viewer at that proxy. */
  async function untilOn(port: number, key: string): Promise<Viewer> {
    for (let attempt = 0; attempt < 4; attempt++) {
      const viewer = await watch(Number.parseInt(key.replaceAll('c', ''), 16));
      await viewer.untilBytes(100_000);
      if ((await statusOf(port)).sessions.some(({ stream }) => stream.key === key)) return viewer;
      await viewer.leave();
    }
    throw new Error(`no turn came to ${port}`);
  }
});
