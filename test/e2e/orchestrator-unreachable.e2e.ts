import type { EngineState, StreamState } from '@acexy/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pair, contentId } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import { type ServiceProcess, startEngine } from '../support/service-process.js';
import { SimulatorControl } from '../support/simulator-control.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

interface StreamStatus {
  state: string;
  failovers: number;
  stream_id: string;
  engine: { container_id: string | null; port: number };
}

/** It accepts connections and never answers: the worst form of an outage. */
describe('when the orchestrator hangs', () => {
  let pair: Pair;
  let fallback: ServiceProcess;
  let fallbackPort: number;
  let fallbackControl: SimulatorControl;

  beforeAll(async () => {
    const [http, https, api, p2p, control] = await freePorts(5);
    fallbackPort = http;
    fallbackControl = new SimulatorControl(control);
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '2', MAX_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_LINGER: '100ms', ACEXY_ENGINE_CACHE_TTL_S: '0.5', ACEXY_HOST: '127.0.0.1', ACEXY_PORT: String(http) },
    });
    fallback = startEngine({ http, https, api, p2p, control }, pair.folder);
    await until('fallback engine', async () => (await fetch(`http://127.0.0.1:${http}/webui/api/service?method=get_version`)).ok);
    await until('two engines', async () => (await pair.engines()).length === 2);
    // Both start together: the proxy may not have reached the orchestrator at first.
    await until('the proxy reaches the orchestrator', () => orchestratorIs('reachable'));
  });
  afterAll(async () => {
    pair?.orchestrator.kill('SIGCONT');
    await pair?.stop();
    await fallback?.stop();
  });

  const statusOf = async (index: number): Promise<StreamStatus> =>
    (await (await fetch(`${pair.proxyUrl}/ace/status?id=${contentId(index)}`)).json()) as StreamStatus;
  const orchestratorIs = async (state: 'away' | 'reachable'): Promise<boolean> =>
    JSON.stringify(await (await fetch(`${pair.proxyUrl}/health/ready`)).json()).includes(`"${state}"`);
  const watch = (index: number): Promise<Viewer> => Viewer.open(pair.streamUrl(contentId(index)), { keep: false });

  it('streams keep playing, new streams start without waiting for it, and it gets the missed ends afterwards', async () => {
    const first = await watch(1);
    await first.untilBytes(500_000);
    const { stream_id: firstId } = await statusOf(1);
    await until('the orchestrator lists the stream', async () => (await pair.startedStreams()).some(({ id }) => id === firstId));
    // The cached list now has both engines.
    const looks = async (): Promise<number> =>
      [...(await metricsOf(pair)).matchAll(/call_seconds_count\{endpoint="engines",outcome="(?:ok|not_modified)"\} (\d+)/g)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
    const looked = await looks();
    await until('the engine list is requested again', async () => (await looks()) > looked);

    pair.orchestrator.kill('SIGSTOP');
    await until('the proxy reports the orchestrator as unreachable', () => orchestratorIs('away'));
    await first.untilBytes(first.bytes + 500_000);

    // An engine of the cached list at once: nobody waits 3 s (ACEXY_ORCH_TIMEOUT) for an orchestrator that is known to be unreachable.
    const second = await watch(2);
    expect(second.status).toBe(200);
    expect(second.firstByteMs ?? 0).toBeLessThan(2500);
    expect((await statusOf(2)).engine).toMatchObject({ container_id: expect.any(String) as string });
    const third = await watch(3);
    expect(third.status).toBe(200);
    expect(third.firstByteMs ?? 0).toBeLessThan(2500);
    expect((await statusOf(3)).engine).toEqual({ container_id: null, host: '127.0.0.1', port: fallbackPort });
    await Promise.all([second, third].map((viewer) => viewer.untilBytes(300_000)));

    // A failed engine is replaced all the same.
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
      const controls = [...(await pair.engines()).map((engine) => pair.control(engine)), fallbackControl];
      const metrics = await Promise.all(controls.map((control) => control.metrics()));
      return metrics.every(({ sessions }) => sessions.active === 0 && sessions.opened === sessions.stopped + sessions.superseded);
    });
  });
});

async function metricsOf(pair: Pair): Promise<string> {
  return (await fetch(`${pair.proxyUrl}/metrics`)).text();
}
