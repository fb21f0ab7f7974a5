import type { ProvisionAcestreamResponse, ProvisionResponse } from '@acexy/contracts';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentedDockerCalls } from '../support/documented-docker-calls.js';
import { DOCKER_MISSING, docker, simulatorImageWith } from '../support/docker.js';
import { FilteredDocker } from '../support/filtered-docker.js';
import { RecordingDockerProxy } from '../support/recording-docker-proxy.js';
import { ImageRegistry } from '../support/image-registry.js';
import { contentId, Pair } from '../support/pair.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const DOCUMENTED = documentedDockerCalls('always');

it('docs/security.md lists calls of the Docker API', () => {
  expect(DOCUMENTED.length).toBeGreaterThan(5);
  expect(DOCUMENTED.some((call) => call.matches('GET', '/images/registry:5000/a/b:latest/json'))).toBe(true);
  expect(DOCUMENTED.some((call) => call.matches('POST', '/containers/f00d/exec'))).toBe(false);
});

describe.skipIf(DOCKER_MISSING !== null)('behind the filter of the compose files', () => {
  let registry: ImageRegistry;
  let filter: FilteredDocker;
  let dockerProxy: RecordingDockerProxy;
  let pair: Pair;
  const localImage = `acestream-calls-test:${randomBytes(4).toString('hex')}`;

  beforeAll(async () => {
    // The image is not present, so Docker must pull it.
    const folder = mkdtempSync(join(tmpdir(), 'calls-test-'));
    writeFileSync(join(folder, 'ballast'), randomBytes(1000));
    const fast = simulatorImageWith('acestream-engine-simulator-fast:test', { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' });
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${fast}\nCOPY ballast /ballast\n`);
    execFileSync('docker', ['build', '-q', '-t', localImage, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    rmSync(folder, { recursive: true });
    registry = await ImageRegistry.with(localImage);
    execFileSync('docker', ['rmi', localImage], { stdio: 'ignore' });
    filter = await FilteredDocker.open({ targetImage: registry.image });
    dockerProxy = await RecordingDockerProxy.open(DOCUMENTED, { docker: { host: '127.0.0.1', port: filter.port } });
    pair = await Pair.start({
      orchestrator: {
        ENGINE_RUNTIME: 'docker',
        DOCKER_HOST: dockerProxy.host,
        TARGET_IMAGE: registry.image,
        MIN_REPLICAS: '1',
        MIN_PROVISION_INTERVAL_S: '0.1',
        MONITOR_INTERVAL_S: '60',
      },
    });
  });
  afterAll(async () => {
    await pair?.stop();
    await dockerProxy?.close();
    await filter?.close();
    execFileSync('docker', ['rmi', '-f', registry.image], { stdio: 'ignore' });
    await registry?.close();
  });

  const engineCount = (count: number) => until(`${count} engines`, async () => (await pair.engines()).length === count, 30_000);

  it('the orchestrator works in every phase, and makes all of these calls', async () => {
    // The image is pulled, and an engine is created from it.
    await engineCount(1);
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    await viewer.untilBytes(200_000);
    await engineCount(2);
    await viewer.leave();

    const provisioned = await pair.api<ProvisionAcestreamResponse>('/provision/acestream', { method: 'POST' });
    const generic = await pair.api<ProvisionResponse>('/provision', { method: 'POST', body: JSON.stringify({ image: registry.image }) });
    await pair.api(`/containers/${generic.container_id}`);
    await pair.api(`/by-label?key=acestream-orchestrator`);
    await pair.api(`/containers/${generic.container_id}`, { method: 'DELETE' });

    // The engine is removed by hand. An event reports it long before the next list.
    await docker.getContainer(provisioned.container_id).remove({ force: true });
    await until(
      'the removed engine is no longer listed',
      async () => !(await pair.engines()).some(({ container_id: id }) => id === provisioned.container_id),
      5_000,
    );

    // After a kill and a restart it adopts the running engines.
    const before = (await pair.engines()).map(({ container_id: id }) => id);
    pair.orchestrator.kill('SIGKILL');
    await pair.orchestrator.exited;
    pair.startOrchestrator();
    await pair.untilReady();
    const after = await until('the engines are back', async () => (await pair.engines()).length >= before.length && pair.engines());
    expect(after.map(({ container_id: id }) => id)).toEqual(expect.arrayContaining(before));

    // The orchestrator stops with its engines.
    await pair.orchestrator.stop();
    expect({ rejected: dockerProxy.rejected, refused: filter.refused }).toEqual({ rejected: [], refused: [] });
    expect([...new Set(dockerProxy.calls)].sort()).toEqual(DOCUMENTED.map(({ name }) => name).sort());
  });
});
