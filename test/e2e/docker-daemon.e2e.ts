import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DOCKER_MISSING, simulatorImageWith } from '../support/docker.js';
import { PRIVATE_DAEMON_MISSING, PrivateDockerDaemon } from '../support/private-docker-daemon.js';
import { contentId, Pair } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const IMAGE = 'acestream-engine-simulator-fast:test';
/** Time limit for API reads while Docker is unreachable. A busy machine causes pauses itself. */
const READ_LIMIT_MS = 10_000;

if (PRIVATE_DAEMON_MISSING !== null) console.warn(`SKIPPED: ${PRIVATE_DAEMON_MISSING}, so restarts of a Docker daemon are not tested`);

describe.skipIf(DOCKER_MISSING !== null || PRIVATE_DAEMON_MISSING !== null)('the Docker daemon', () => {
  let daemon: PrivateDockerDaemon;
  let pair: Pair;
  let reads: ReadWatch;

  const begin = async (...options: string[]): Promise<string[]> => {
    daemon = await PrivateDockerDaemon.start(options, [IMAGE]);
    pair = await Pair.start({
      orchestrator: {
        ENGINE_RUNTIME: 'docker',
        DOCKER_HOST: daemon.host,
        TARGET_IMAGE: IMAGE,
        IMAGE_PULL: 'never',
        MIN_REPLICAS: '2',
        MIN_PROVISION_INTERVAL_S: '0.1',
        CIRCUIT_BREAKER_THRESHOLD: '1',
      },
    });
    await until('two engines', async () => (await pair.engines()).length === 2);
    reads = new ReadWatch(pair);
    return idsOf(await pair.engines());
  };
  /** Stops and restarts the daemon. Resolves when it answers. */
  const restart = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    await daemon.stop(signal);
    await until('the outage is detected', async () => (await fetch(`${pair.apiUrl}/health/ready`)).status === 503);
    const refused = await fetch(`${pair.apiUrl}/provision/acestream`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${pair.apiKey}` },
    });
    expect([refused.status, await refused.json()]).toMatchObject([
      503,
      { detail: { code: 'runtime_unavailable', message: expect.stringContaining('container runtime unreachable: ') as string } },
    ]);
    daemon.launch();
    await daemon.untilAnswers();
  };
  const recovered = (): Promise<string[]> =>
    until('two healthy engines, and ready', async () => {
      const engines = await pair.engines();
      const healthy = engines.length === 2 && engines.every(({ health_status }) => health_status === 'healthy');
      return healthy && (await fetch(`${pair.apiUrl}/health/ready`)).ok && idsOf(engines);
    });
  /** All engine containers; the lease of the installation is no engine. */
  const containers = async (): Promise<string[]> => {
    const listed = await daemon.client.listContainers({ all: true, filters: { label: ['acestream-orchestrator'] } });
    return listed.map(({ Id }) => Id).sort();
  };

  beforeAll(() => {
    simulatorImageWith(IMAGE, { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' });
  });
  afterEach(async () => {
    await reads?.stop();
    await pair?.stop();
    await daemon?.dispose();
  });

  it.each([
    ['killed, and keeps its containers (live-restore)', 'SIGKILL', ['--live-restore']],
    ['stopped with SIGTERM, and starts its containers again', 'SIGTERM', []],
  ] as const)(
    'is %s: the same engines are healthy again soon after its first answer, and none is listed twice',
    async (_, signal, options) => {
      const before = await begin(...options);
      await restart(signal);
      expect(await recovered()).toEqual(before);
      expect(await containers()).toEqual(before);
      // Docker reports the uptime in whole seconds, so the restart of a young engine may only be detected with the next list.
      await until('no problem', async () => (await pair.api<{ status: string }>('/health/ready')).status === 'ok');
      expect(await pair.api('/health/ready')).toMatchObject({ circuit_state: 'closed' });
      await reads.stop();
      expect(reads.slowestMs).toBeLessThan(READ_LIMIT_MS);
    },
  );

  // The restarted daemon kills its old containers. Whether its restart policy then restarts the same ones is a race in Docker.
  it('is killed together with its containers: two engines are healthy soon after its first answer, and no dead one is left', async () => {
    await begin();
    await restart('SIGKILL');
    await recovered();
    await until('two engines, and no other container', async () => String(await recovered()) === String(await containers()));
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    await viewer.untilBytes(200_000);
    await viewer.leave();
    await reads.stop();
    expect(reads.slowestMs).toBeLessThan(READ_LIMIT_MS);
  });

  it('hangs: every API read is answered meanwhile, and pending requests are carried out afterwards', async () => {
    await begin();
    daemon.signal('SIGSTOP');
    const provision = pair.api<{ container_id: string }>('/provision/acestream', { method: 'POST', body: '{}' });
    try {
      await until('a hundred reads', async () => reads.count >= 100);
    } finally {
      daemon.signal('SIGCONT');
    }
    const { container_id: id } = await provision;
    await until('the requested engine', async () => idsOf(await pair.engines()).includes(id));
    await reads.stop();
    expect(reads.slowestMs).toBeLessThan(READ_LIMIT_MS);
  });
});

function idsOf(engines: { container_id: string }[]): string[] {
  return engines.map(({ container_id }) => container_id).sort();
}

/** Reads the API repeatedly and records the slowest answer. */
class ReadWatch {
  slowestMs = 0;
  count = 0;
  private stopped = false;
  private readonly done: Promise<void>;

  constructor(private readonly pair: Pair) {
    this.done = this.run();
    // The caller of stop() gets the error. Without this handler it would be unhandled until then.
    this.done.catch(() => undefined);
  }

  stop(): Promise<void> {
    this.stopped = true;
    return this.done;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      for (const path of ['/engines', '/health', '/by-label?key=acestream-orchestrator', '/streams']) {
        const startedAt = performance.now();
        await this.pair.api(path);
        this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt);
        this.count += 1;
      }
      await sleep(20);
    }
  }
}
