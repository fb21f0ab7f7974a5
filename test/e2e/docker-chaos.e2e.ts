import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineState } from '@acexy/contracts';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DockerChaos } from '../support/docker-chaos.js';
import { DOCKER_MISSING, simulatorImageWith } from '../support/docker.js';
import { FilteredDocker } from '../support/filtered-docker.js';
import { PRIVATE_DAEMON_MISSING, PrivateDockerDaemon } from '../support/private-docker-daemon.js';
import { contentId, Pair } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const IMAGE = 'acestream-engine-simulator-fast:test';
/** Duration in every test run; `npm run chaos:orchestrator` takes minutes. */
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 5);
/** Repeats the order of the faults. Their timing depends on the machine. */
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const MIN = 2;
const MAX = 8;
const VIEWERS = 3;
const STORM = 50;
const LIMIT_MS = 180_000 + SECONDS * 2_000;

if (PRIVATE_DAEMON_MISSING !== null)
  console.warn(`SKIPPED: ${PRIVATE_DAEMON_MISSING}, so no random faults are tested on a real Docker Engine`);

describe.skipIf(DOCKER_MISSING !== null || PRIVATE_DAEMON_MISSING !== null)(`chaos with seed ${SEED} for ${SECONDS} s`, () => {
  let daemon: PrivateDockerDaemon;
  let filter: FilteredDocker;
  let pair: Pair;
  let watch: ContainerWatch;
  const viewers: Viewer[] = [];

  beforeAll(() => {
    simulatorImageWith(IMAGE, { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' });
  });
  afterEach(async () => {
    await watch?.stop();
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    await pair?.stop();
    await filter?.close();
    await daemon?.dispose();
  });

  it(
    'viewers keep watching and the pool recovers when engines are killed, removed, paused and restarted, the orchestrator is killed, the daemon restarts, and many engines are requested',
    async () => {
      const startedAt = performance.now();
      const sinceStart = (): string => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
      daemon = await PrivateDockerDaemon.start(['--live-restore'], [IMAGE]);
      filter = await FilteredDocker.open({ targetImage: IMAGE }, daemon.host);
      pair = await Pair.start({
        orchestrator: {
          ENGINE_RUNTIME: 'docker',
          DOCKER_HOST: filter.host,
          TARGET_IMAGE: IMAGE,
          IMAGE_PULL: 'never',
          MIN_REPLICAS: String(MIN),
          MAX_REPLICAS: String(MAX),
          MIN_PROVISION_INTERVAL_S: '0.05',
          ENGINE_GRACE_PERIOD_S: '3',
          HEALTH_CHECK_INTERVAL_S: '1',
          HEALTH_CHECK_TIMEOUT_S: '1',
          RETRY_BACKOFF_S: '0.3',
          HEALTH_UNHEALTHY_GRACE_PERIOD_S: '1',
          HEALTH_REPLACEMENT_COOLDOWN_S: '1',
          CIRCUIT_BREAKER_TIMEOUT_S: '3',
        },
        proxy: { ACEXY_STALL_TIMEOUT: '2s', ACEXY_LINGER: '100ms' },
      });
      await until('the minimum of engines', async () => (await pair.engines()).length >= MIN, 30_000);
      for (let index = 0; index < VIEWERS; index++) {
        const viewer = await Viewer.open(pair.streamUrl(contentId(index)), { keep: false });
        expect(viewer.status).toBe(200);
        viewers.push(viewer);
      }
      await Promise.all(viewers.map((viewer) => viewer.untilBytes(200_000)));
      watch = new ContainerWatch(daemon);

      console.log(`all viewers watch after ${sinceStart()}`);
      const chaos = new DockerChaos(SEED, pair, daemon, STORM);
      const done = await chaos.run(SECONDS * 1000);
      console.log(`seed ${SEED}: ${done.join(', ')}; all done after ${sinceStart()}`);
      expect(chaos.provisionStatuses.every((status) => [200, 500, 503].includes(status))).toBe(true);
      expect(watch.most).toBeLessThanOrEqual(MAX);

      await until('every viewer has received more bytes', () => receiveBytes(viewers), 60_000);
      expect(viewers.map(({ ended, error }) => ({ ended, error }))).toEqual(viewers.map(() => ({ ended: false, error: null })));

      console.log(`all viewers still watch after ${sinceStart()}`);
      await pair.api('/gc', { method: 'POST' });
      await until(
        'the right number of engines, the same in Docker, registry and ports',
        async () => {
          const [engines, containers] = await Promise.all([
            pair.api<EngineState[]>('/engines?state=all'),
            daemon.client.listContainers({ all: true, filters: { label: ['acestream-orchestrator'] } }),
          ]);
          const ids = engines.map(({ container_id: id }) => id).sort();
          return (
            engines.length === MIN + VIEWERS &&
            engines.every(({ health_status: health }) => health === 'healthy') &&
            new Set(engines.map(({ port }) => port)).size === engines.length &&
            JSON.stringify(containers.map(({ Id }) => Id).sort()) === JSON.stringify(ids)
          );
        },
        60_000,
      );
      console.log(`pool recovered after ${sinceStart()}`);
      expect(await pair.api('/health/ready')).toMatchObject({ status: 'ok', circuit_state: 'closed', active_streams: VIEWERS });
      expect(watch.most).toBeLessThanOrEqual(MAX);
    },
    LIMIT_MS,
  );
});

/** Whether every viewer receives bytes now. */
async function receiveBytes(viewers: readonly Viewer[]): Promise<boolean> {
  const before = viewers.map(({ bytes }) => bytes);
  await sleep(500);
  return viewers.every(({ bytes }, index) => bytes > before[index]);
}

/** Largest number of containers that ran at the same time, while the daemon answered. */
class ContainerWatch {
  most = 0;
  private stopped = false;
  private readonly done: Promise<void>;

  constructor(private readonly daemon: PrivateDockerDaemon) {
    this.done = this.run();
  }

  stop(): Promise<void> {
    this.stopped = true;
    return this.done;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      // While the daemon is unreachable, nothing is counted.
      const running = await this.daemon.client.listContainers().catch(() => []);
      this.most = Math.max(this.most, running.length);
      await sleep(100);
    }
  }
}
