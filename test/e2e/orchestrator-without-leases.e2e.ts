import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineState } from '../doubles/engine-state.js';
import { OrchestratorServer } from '../doubles/orchestrator-server.js';
import { contentId } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import { ServiceProcess } from '../support/service-process.js';
import { StandaloneEngine, enginePorts } from '../support/standalone-engine.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

describe.each([404, 405] as const)('with an orchestrator without lease API, which answers a lease with %i', (leases) => {
  const folder = mkdtempSync(join(tmpdir(), 'foreign-'));
  const orchestrator = new OrchestratorServer({ leases });
  let orchestratorPort: number;
  let engine: StandaloneEngine;
  let proxy: ServiceProcess;
  let proxyUrl: string;

  beforeAll(async () => {
    const [proxyPort, orchestrationPort, ...engineOn] = await freePorts(7);
    orchestratorPort = orchestrationPort;
    await orchestrator.listen(orchestratorPort);
    engine = new StandaloneEngine('old-1', enginePorts(engineOn), folder);
    orchestrator.engines.push(engineState(engine.id, { host: '127.0.0.1', port: engine.ports.http }));
    proxyUrl = `http://127.0.0.1:${proxyPort}`;
    proxy = ServiceProcess.ofApp('proxy', {
      cwd: folder,
      env: {
        ACEXY_LISTEN_ADDR: `:${proxyPort}`,
        ACEXY_ORCH_URL: `http://127.0.0.1:${orchestratorPort}`,
        ACEXY_ORCH_APIKEY: 'old-key',
        ACEXY_LINGER: '100ms',
      },
    });
    await until('proxy', async () => (await fetch(`${proxyUrl}/health/ready`)).ok);
    await engine.revive();
  });
  afterAll(async () => {
    await proxy.stop();
    await engine.stop();
    await orchestrator.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('selects an engine from the list, plays, and sends both events with the key', async () => {
    const viewer = await Viewer.open(`${proxyUrl}/ace/getstream?id=${contentId(1)}`, { keep: false });
    expect(viewer.status).toBe(200);
    await viewer.untilBytes(300_000);
    const [started] = await until(
      'stream_started',
      async () => orchestrator.bodiesOf('/events/stream_started').length > 0 && orchestrator.bodiesOf('/events/stream_started'),
    );
    expect(started).toMatchObject({
      engine: { host: '127.0.0.1', port: orchestrator.engines[0].port },
      stream: { key_type: 'content_id', key: contentId(1) },
      session: {
        is_live: 1,
        stat_url: expect.stringContaining('/ace/stat/') as string,
        command_url: expect.stringContaining('/ace/cmd/') as string,
      },
      labels: { stream_id: expect.any(String) as string },
    });
    await viewer.leave();
    const [ended] = await until(
      'stream_ended',
      async () => orchestrator.bodiesOf('/events/stream_ended').length > 0 && orchestrator.bodiesOf('/events/stream_ended'),
    );
    expect((ended as { stream_id: string }).stream_id).toBe((started as { labels: { stream_id: string } }).labels.stream_id);
    expect(orchestrator.requests.every(({ headers }) => headers.authorization === 'Bearer old-key')).toBe(true);
    expect(await engine.control.metrics()).toMatchObject({ sessions: { opened: 1, stopped: 1, active: 0 } });
  });

  it('requests another engine when the only one is in use, and passes on its rejection', async () => {
    orchestrator.provision = () => ({
      status: 503,
      body: {
        detail: {
          error: 'provisioning_blocked',
          code: 'vpn_disconnected',
          message: 'VPN is down',
          recovery_eta_seconds: 60,
          can_retry: true,
          should_wait: true,
        },
      },
    });
    const viewer = await Viewer.open(`${proxyUrl}/ace/getstream?id=${contentId(2)}`, { keep: false });
    await viewer.untilBytes(100_000);
    const refused = await fetch(`${proxyUrl}/ace/getstream?id=${contentId(3)}`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('60');
    expect(await refused.text()).toContain('VPN is down');
    expect(orchestrator.bodiesOf('/provision/acestream').length).toBeGreaterThan(0);

    // Some orchestrators answer 403 instead of 401.
    orchestrator.provision = () => ({ status: 403, body: { detail: 'Not authenticated' } });
    const unknown = await fetch(`${proxyUrl}/ace/getstream?id=${contentId(3)}`);
    expect(unknown.status).toBe(503);
    expect(await unknown.text()).toContain('rejects our API key');
    await viewer.leave();
  });

  it('keeps playing and starts streams while it is unreachable, and sends the missed events afterwards', async () => {
    await until(
      'no stream is left',
      async () => ((await (await fetch(`${proxyUrl}/ace/status`)).json()) as { streams: number }).streams === 0,
    );
    const viewer = await Viewer.open(`${proxyUrl}/ace/getstream?id=${contentId(4)}`, { keep: false });
    await viewer.untilBytes(300_000);
    await until('the start event arrives', () => Promise.resolve(keysOf('stream_started').includes(contentId(4))));
    await orchestrator.close();
    await viewer.untilBytes(viewer.bytes + 300_000);
    await viewer.leave();
    await until('the end', async () => ((await (await fetch(`${proxyUrl}/ace/status`)).json()) as { streams: number }).streams === 0);
    // From the cached list.
    const next = await Viewer.open(`${proxyUrl}/ace/getstream?id=${contentId(5)}`, { keep: false });
    expect(next.status).toBe(200);
    await next.untilBytes(300_000);
    expect(keysOf('stream_started')).not.toContain(contentId(5));
    await orchestrator.listen(orchestratorPort);
    await until('the start event arrives', () => Promise.resolve(keysOf('stream_started').includes(contentId(5))), 45_000);
    const started = orchestrator.bodiesOf('/events/stream_started') as { stream: { key: string }; labels: { stream_id: string } }[];
    const ends = orchestrator.bodiesOf('/events/stream_ended') as { stream_id: string }[];
    const before = started.find(({ stream }) => stream.key === contentId(4))!;
    expect(ends.map(({ stream_id: id }) => id)).toContain(before.labels.stream_id);
    await next.leave();
  });

  function keysOf(event: string): string[] {
    return (orchestrator.bodiesOf(`/events/${event}`) as { stream: { key: string } }[]).map(({ stream }) => stream.key);
  }
});

describe('without an orchestrator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alone-'));
  let services: (ServiceProcess | StandaloneEngine)[] = [];
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('plays from ACEXY_HOST:ACEXY_PORT, several contents at a time', async () => {
    const [proxyPort, ...engineOn] = await freePorts(6);
    const engine = new StandaloneEngine('fallback', enginePorts(engineOn), folder);
    services = [
      engine,
      ServiceProcess.ofApp('proxy', {
        cwd: folder,
        env: { ACEXY_LISTEN_ADDR: `127.0.0.1:${proxyPort}`, ACEXY_HOST: '127.0.0.1', ACEXY_PORT: String(engine.ports.http) },
      }),
    ];
    const url = `http://127.0.0.1:${proxyPort}`;
    await until('proxy', async () => (await fetch(`${url}/health/ready`)).ok);
    await engine.revive();
    const viewers = await Promise.all([1, 2].map((index) => Viewer.open(`${url}/ace/getstream/?id=${contentId(index)}`, { keep: false })));
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(300_000)));
    expect(await (await fetch(`${url}/ace/status`)).json()).toMatchObject({ status: 'ok', streams: 2 });
    await Promise.all(viewers.map((viewer) => viewer.leave()));
  });
});
