import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOCKER_MISSING, simulatorImageWith } from '../support/docker.js';
import { RecordingDockerProxy } from '../support/recording-docker-proxy.js';
import { contentId, Pair } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const IMAGE = 'acestream-engine-simulator-fast:test';
const ENGINES = 5;
/** The container by which only one orchestrator manages the engines of an installation. */
const LEASE = 1;

describe.skipIf(DOCKER_MISSING !== null)('calls of the Docker API', () => {
  let dockerProxy: RecordingDockerProxy;
  let pair: Pair;

  beforeAll(async () => {
    simulatorImageWith(IMAGE, { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' });
    dockerProxy = await RecordingDockerProxy.open();
    pair = await Pair.start({
      orchestrator: {
        ENGINE_RUNTIME: 'docker',
        DOCKER_HOST: dockerProxy.host,
        TARGET_IMAGE: IMAGE,
        IMAGE_PULL: 'never',
        MIN_REPLICAS: String(ENGINES),
        MIN_PROVISION_INTERVAL_S: '0.1',
        MONITOR_INTERVAL_S: '1',
        HEALTH_CHECK_INTERVAL_S: '0.5',
        ENGINE_GRACE_PERIOD_S: '60',
      },
    });
    await until('the engines', async () => (await pair.engines()).length === ENGINES);
  });
  afterAll(async () => {
    await pair?.stop();
    await dockerProxy?.close();
  });

  it('a start of an engine makes one create, one start and one inspect; the image is inspected once, and there is one event subscription', () => {
    const { 'GET /containers/json': lists, [`GET /images/${IMAGE}/json`]: images, ...rest } = dockerProxy.counts;
    expect(rest).toEqual({ 'GET /events': 1, 'POST /containers/create': ENGINES + LEASE, 'POST /containers/ID/start': ENGINES });
    expect(images).toBe(1);
    // One list per start and per round. A burst of events causes one list.
    expect(lists).toBeLessThanOrEqual(ENGINES * 3);
  });

  it('when nothing happens there is one list per round, for any number of engines and API reads', async () => {
    const before = dockerProxy.calls.length;
    const startedAt = performance.now();
    const { container_id: id } = (await pair.engines())[0];
    const paths = [
      '/engines',
      `/engines/${id}`,
      `/containers/${id}`,
      '/by-label?key=acestream-orchestrator',
      '/health/ready',
      '/streams',
      '/metrics',
    ];
    let reads = 0;
    while (performance.now() - startedAt < 5_000) {
      await Promise.all(paths.map((path) => fetch(pair.apiUrl + path, { headers: { Authorization: `Bearer ${pair.apiKey}` } })));
      reads += paths.length;
    }
    const calls = dockerProxy.calls.slice(before);
    expect(reads).toBeGreaterThan(200);
    expect(new Set(calls)).toEqual(new Set(['GET /containers/json']));
    expect(calls.length).toBeLessThanOrEqual(6);
  });

  it('while streams play it is the same; a stream only adds the start of another free engine', async () => {
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    await viewer.untilBytes(200_000);
    await until('another free engine', async () => (await pair.engines()).length === ENGINES + 1);
    const before = dockerProxy.calls.length;
    await viewer.untilBytes(viewer.bytes + 2_000_000);
    expect(new Set(dockerProxy.calls.slice(before)).size).toBeLessThanOrEqual(1);
    expect(dockerProxy.calls.some((call) => /stats|top|logs|exec|inspect|ID\/json/.test(call))).toBe(false);
    await viewer.leave();
  });
});
