import type { EngineState, StreamState } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pair, type StreamStatus, contentId } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import { scrapeOf } from '../support/scrape-of.js';
import { StandaloneEngine, enginePorts } from '../support/standalone-engine.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

/** A hanging orchestrator accepts connections and never answers: the worst form of an outage. */
describe('when the orchestrator hangs', () => {
  let pair: Pair;
  let fallback: StandaloneEngine;

  beforeAll(async () => {
    const fallbackPorts = enginePorts(await freePorts(5));
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2', MAX_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_LINGER: '100ms', ACEXY_ENGINE_CACHE_TTL_S: '0.5', ACEXY_HOST: '127.0.0.1', ACEXY_PORT: String(fallbackPorts.http) },
    });
    fallback = new StandaloneEngine('fallback', fallbackPorts, pair.folder);
    await fallback.revive();
    await until('two engines', async () => (await pair.engines()).length === 2);
    // Both start together, so the proxy may not reach the orchestrator at first.
    await until('the proxy reaches the orchestrator', () => orchestratorIs('reachable'));
  });
  afterAll(async () => {
    pair?.orchestrator.kill('SIGCONT');
    await pair?.stop();
    await fallback?.stop();
  });

  const statusOf = (index: number): Promise<StreamStatus> => pair.streamStatus(contentId(index));
  const orchestratorIs = async (state: 'away' | 'reachable'): Promise<boolean> =>
    JSON.stringify(await (await fetch(`${pair.proxyUrl}/health/ready`)).json()).includes(`"${state}"`);
  const watch = (index: number): Promise<Viewer> => Viewer.open(pair.streamUrl(contentId(index)), { keep: false });

  it('streams keep playing, new streams start without waiting for it, and it gets the missed ends afterwards', async () => {
    const first = await watch(1);
    await first.untilBytes(500_000);
    const { stream_id: firstId } = await statusOf(1);
    await until('the orchestrator lists the stream', async () => (await pair.startedStreams()).some(({ id }) => id === firstId));
    // The cached list now has both engines.
    const listReads = async (): Promise<number> => {
      const scrape = await scrapeOf(pair.proxyUrl);
      const count = (outcome: string): number => scrape.sum('acexy_orchestrator_call_seconds_count', { endpoint: 'engines', outcome }) ?? 0;
      return count('ok') + count('not_modified');
    };
    const before = await listReads();
    await until('the engine list is requested again', async () => (await listReads()) > before);

    pair.orchestrator.kill('SIGSTOP');
    await until('the proxy reports the orchestrator as unreachable', () => orchestratorIs('away'));
    await first.untilBytes(first.bytes + 500_000);

    // The proxy chooses from the cached list at once. It sends no request for a lease to an orchestrator that is known to be unreachable.
    const leaseRequests = async (): Promise<number | null> =>
      (await scrapeOf(pair.proxyUrl)).sum('acexy_orchestrator_call_seconds_count', { endpoint: 'lease' });
    const requestsBefore = await leaseRequests();
    const second = await watch(2);
    expect(second.status).toBe(200);
    expect((await statusOf(2)).engine).toMatchObject({ container_id: expect.any(String) as string });
    const third = await watch(3);
    expect(third.status).toBe(200);
    expect(await leaseRequests()).toBe(requestsBefore);
    expect((await statusOf(3)).engine).toEqual({ container_id: null, host: '127.0.0.1', port: fallback.ports.http });
    await Promise.all([second, third].map((viewer) => viewer.untilBytes(300_000)));

    // A failed engine is still replaced.
    const lost = await statusOf(2);
    await pair.control({ port: lost.engine.port } as EngineState).end('superseded');
    await until('the failover', async () => (await statusOf(2)).failovers === 1);
    expect((await statusOf(2)).state).toBe('playing');
    await second.untilBytes(second.bytes + 300_000);

    await first.leave();
    await until('its end', async () => (await fetch(`${pair.proxyUrl}/ace/status?id=${contentId(1)}`)).status === 404);
    pair.orchestrator.kill('SIGCONT');
    const ended = await until('the orchestrator shows the end', async () =>
      (await pair.api<StreamState[]>('/streams?status=ended')).find(({ id }) => id === firstId),
    );
    expect(ended.key).toBe(contentId(1));
    await until('the orchestrator lists the new streams', async () => {
      const keys = (await pair.startedStreams()).map(({ key }) => key);
      return keys.includes(contentId(2)) && keys.includes(contentId(3));
    });
    expect([second.ended, third.ended]).toEqual([false, false]);
    await Promise.all([second, third].map((viewer) => viewer.leave()));
    await until('all stopped', async () => {
      const controls = [...(await pair.engines()).map((engine) => pair.control(engine)), fallback.control];
      const metrics = await Promise.all(controls.map((control) => control.metrics()));
      return metrics.every(({ sessions }) => sessions.active === 0 && sessions.opened === sessions.stopped + sessions.superseded);
    });
  });
});
