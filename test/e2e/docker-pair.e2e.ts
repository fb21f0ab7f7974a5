import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, DOCKER_MISSING, simulatorImageWith } from '../support/docker.js';
import { FilteredDocker } from '../support/filtered-docker.js';
import { HAS_FFMPEG, runTool } from '../support/media-tools.js';
import { Pair, contentId } from '../support/pair.js';
import { runShell } from '../support/shell.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const IMAGE = 'acestream-engine-simulator-fast:test';

describe.skipIf(DOCKER_MISSING !== null)('on a real Docker Engine, behind the filter of the compose files', () => {
  let filter: FilteredDocker;
  let pair: Pair;

  beforeAll(async () => {
    simulatorImageWith(IMAGE, { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' });
    filter = await FilteredDocker.open({ targetImage: IMAGE });
    pair = await startPair();
  });
  afterAll(async () => {
    await pair.stop();
    await filter.close();
    expect(filter.refused).toEqual([]);
  });

  const startPair = (settings: Record<string, string> = {}): Promise<Pair> =>
    Pair.start({
      orchestrator: {
        ENGINE_RUNTIME: 'docker',
        DOCKER_HOST: filter.host,
        TARGET_IMAGE: IMAGE,
        IMAGE_PULL: 'never',
        MIN_REPLICAS: '0',
        ENGINE_GRACE_PERIOD_S: '2',
        MIN_PROVISION_INTERVAL_S: '0.1',
        // Longer than any test waits: only Docker's events show what happens to a container.
        MONITOR_INTERVAL_S: '60',
        ...settings,
      },
      proxy: { ACEXY_LINGER: '100ms' },
    });
  const idsOf = (engines: { container_id: string }[]): string[] => engines.map(({ container_id }) => container_id).sort();

  it.skipIf(!HAS_FFMPEG)('the first request, without any container, starts an engine and plays in ffmpeg', async () => {
    expect(await pair.engines()).toEqual([]);
    const { code, output } = await runTool('ffmpeg', ['-v', 'warning', '-i', pair.streamUrl(contentId(1)), '-t', '5', '-f', 'null', '-']);
    expect({ code, output }).toEqual({ code: 0, output: '' });
  });

  it('docker inspect shows the documented name, labels, ports and restart policy', async () => {
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    const [stream] = await until('the stream', async () => (await pair.startedStreams()).length > 0 && pair.startedStreams());
    const { Name, Config, HostConfig } = await docker.getContainer(stream.container_id).inspect();
    const engine = (await pair.engines()).find(({ container_id }) => container_id === stream.container_id);
    const port = String(engine?.port);
    expect(Name).toBe(`/${engine?.container_name}`);
    expect(Config.Labels).toMatchObject({
      'orchestrator.managed': 'acestream',
      'acestream-orchestrator': 'true',
      'acestream.http_port': port,
      'host.http_port': port,
    });
    expect(Config.Env).toEqual(expect.arrayContaining([`HTTP_PORT=${port}`, 'BIND_ALL=true', 'INTERNAL_BUFFERING=60']));
    expect(HostConfig.PortBindings).toMatchObject({ [`${port}/tcp`]: [{ HostPort: port }] });
    expect(HostConfig.RestartPolicy?.Name).toBe('unless-stopped');
    expect(await pair.api(`/containers/${stream.container_id}`)).toMatchObject({ id: stream.container_id, status: 'running' });
    await viewer.leave();
  });

  it('ten contents at once get ten containers, and surplus containers are removed afterwards', async () => {
    await pair.untilNoStreams();
    const viewers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => Viewer.open(pair.streamUrl(contentId(100 + index)), { keep: false })),
    );
    expect(viewers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(200_000)));
    expect(new Set((await pair.startedStreams()).map(({ container_id }) => container_id)).size).toBe(10);
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    await until('no container is left', async () => (await pair.api<unknown[]>('/engines?state=all')).length === 0, 60_000);
  });

  it.each([
    ['docker kill', (id: string) => docker.getContainer(id).kill()],
    ['docker rm -f', (id: string) => docker.getContainer(id).remove({ force: true })],
  ])('after %s the engine leaves the list at once, before the next list of containers', async (_, act) => {
    const { container_id: id } = await provision();
    await until('ready', async () => idsOf(await pair.engines()).includes(id));
    await act(id);
    await until('the engine is no longer listed', async () => !idsOf(await pair.engines()).includes(id));
    await until('the container is removed', async () => !idsOf(await pair.api('/engines?state=all')).includes(id));
  });

  it('an occupied host port is replaced by another one and is not a failure', async () => {
    // Every second port of the range is occupied.
    const servers = await Promise.all(
      Array.from(
        { length: 40 },
        (_, index) =>
          new Promise<ReturnType<typeof createServer> | null>((resolve) => {
            if (index % 2 === 0) return resolve(null);
            const server = createServer().once('error', () => resolve(null));
            server.listen(pair.firstEnginePort + index, '0.0.0.0', () => resolve(server));
          }),
      ),
    );
    const provisioned = [await provision(), await provision(), await provision()];
    for (const { host_http_port } of provisioned) expect((host_http_port - pair.firstEnginePort) % 2).toBe(0);
    for (const server of servers) server?.close();
  });

  it('kill -9 of the orchestrator during ten streams changes no container, no viewer notices, and the state is right again', async () => {
    const viewers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => Viewer.open(pair.streamUrl(contentId(200 + index)), { keep: false })),
    );
    await Promise.all(viewers.map((viewer) => viewer.untilBytes(200_000)));
    const before = await until('ten streams', async () => (await pair.startedStreams()).length === 10 && pair.startedStreams());
    const started = async (): Promise<string[]> =>
      Promise.all(
        before.map(async ({ container_id }) => `${container_id} ${(await docker.getContainer(container_id).inspect()).State.StartedAt}`),
      );
    const startedBefore = await started();
    pair.orchestrator.kill('SIGKILL');
    await pair.orchestrator.exited;
    pair.startOrchestrator();
    await until('the same ten streams', async () => {
      const now = await pair.startedStreams();
      return (
        now.length === 10 &&
        before.every(({ id, container_id }) => now.some((stream) => stream.id === id && stream.container_id === container_id))
      );
    });
    expect(await started()).toEqual(startedBefore);
    const bytes = viewers.map((viewer) => viewer.bytes);
    await Promise.all(viewers.map((viewer, index) => viewer.untilBytes(bytes[index] + 200_000)));
    expect(viewers.every(({ ended }) => !ended)).toBe(true);
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    await until('no container is left', async () => (await pair.api<unknown[]>('/engines?state=all')).length === 0, 60_000);
  });

  it('two pairs on one Docker Engine do not touch each other’s engines', async () => {
    // With a viewer, because the grace period of an idle engine could end while the other pair starts.
    const viewer = await Viewer.open(pair.streamUrl(contentId(300)), { keep: false });
    const [mine] = idsOf(await pair.engines());
    // The filter serves one installation.
    const other = await startPair({ MIN_REPLICAS: '1', DOCKER_HOST: 'unix:///var/run/docker.sock' });
    try {
      const [theirs] = await until('an engine of the other pair', async () => (await other.engines()).length === 1 && other.engines());
      expect(idsOf(await pair.api('/engines?state=all'))).toEqual([mine]);
      expect(idsOf(await other.api('/engines?state=all'))).toEqual([theirs.container_id]);
      await expect(other.api(`/containers/${mine}`, { method: 'DELETE' })).rejects.toThrow('404');
    } finally {
      await other.stop();
    }
    expect(idsOf(await pair.api('/engines?state=all'))).toEqual([mine]);
    await viewer.leave();
  });

  it("the troubleshooting guide's commands work as written", async () => {
    // Not synchronously: the filter runs in this process.
    const shell = async (line: string): Promise<string> => {
      const lines = line.replaceAll('localhost:8000', `localhost:${pair.apiPort}`);
      return (await runShell(lines, { cwd: tmpdir(), env: { API_KEY: pair.apiKey } })).stdout;
    };
    const provisioned = await shell(`time curl -s -X POST -H "Authorization: Bearer $API_KEY" \\
      -H "Content-Type: application/json" \\
      http://localhost:8000/provision/acestream`);
    const { container_id: id } = JSON.parse(provisioned) as { container_id: string };
    await until('ready', async () => idsOf(await pair.engines()).includes(id));
    const listed = await shell(
      `curl -s -H "Authorization: Bearer $API_KEY" http://localhost:8000/engines | jq -c '.[] | {id: .container_id, health: .health_status, streams: .streams | length}'`,
    );
    expect(
      listed
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toContainEqual({ id, health: 'healthy', streams: 0 });
    expect(await shell('curl -s http://localhost:8000/metrics | grep orch_provision')).toContain('orch_provision_total{kind="acestream"}');
    expect(await shell('curl -s http://localhost:8000/metrics | grep circuit_breaker')).toContain('circuit_breaker');
    expect(
      (await shell(`curl -s -H "Authorization: Bearer $API_KEY" http://localhost:8000/health/ready | jq -r '.circuit_state'`)).trim(),
    ).toBe('closed');
    // Only of this installation: another one may use the same Docker Engine.
    const installation = (await docker.getContainer(id).inspect()).Config.Labels['acestream-orchestrator.installation'];
    await shell(
      `docker rm -f $(docker ps -aq --filter "label=acestream-orchestrator" --filter "label=acestream-orchestrator.installation=${installation}")`,
    );
    await until('no engine is left', async () => (await pair.api<unknown[]>('/engines?state=all')).length === 0);
  });

  function provision(): Promise<{ container_id: string; host_http_port: number }> {
    return pair.api('/provision/acestream', { method: 'POST', body: '{}' });
  }
});

describe.skipIf(DOCKER_MISSING !== null)('an engine that is restarted by hand', () => {
  let pair: Pair;

  beforeAll(async () => {
    simulatorImageWith(IMAGE, { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' });
    pair = await Pair.start({ orchestrator: { ENGINE_RUNTIME: 'docker', TARGET_IMAGE: IMAGE, IMAGE_PULL: 'never', MIN_REPLICAS: '1' } });
  });
  afterAll(() => pair.stop());

  const freeEngine = async (): Promise<string> => (await until('an engine', async () => (await pair.engines())[0])).container_id;

  it.each([
    ['docker restart', (id: string) => docker.getContainer(id).restart({ t: 1 })],
    [
      'a crash of its process',
      async (id: string) => {
        const { State } = await docker.getContainer(id).inspect();
        process.kill(State.Pid, 'SIGKILL');
      },
    ],
  ])('after %s the same engine is ready again', async (_, act) => {
    const id = await freeEngine();
    const startedAt = async (): Promise<string> => (await docker.getContainer(id).inspect()).State.StartedAt;
    const before = await startedAt();
    // Docker reports the uptime in whole seconds only.
    await until('the container has run for some seconds', async () => Date.now() - Date.parse(before) > 5_000);
    await act(id);
    const restartedAt = await until('the container is restarted', async () => {
      const now = await startedAt();
      return now !== before && Date.parse(now);
    });
    const engine = await until('the restarted engine is listed and ready', async () => {
      const found = (await pair.engines()).find(({ container_id }) => container_id === id);
      return found?.health_status === 'healthy' && Date.parse(found.first_seen) >= restartedAt && found;
    });
    expect((await fetch(`http://127.0.0.1:${engine.port}/webui/api/service?method=get_version`)).ok).toBe(true);
  });
});
