import type { ContainerInfo, ProvisionResponse } from '@acexy/contracts';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, DOCKER_MISSING, simulatorImageWith } from '../support/docker.js';
import { FilteredDocker } from '../support/filtered-docker.js';
import { ImageRegistry } from '../support/image-registry.js';
import { Pair } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import { until } from '../support/until.js';

const IMAGE = 'acestream-engine-simulator-fast:test';
const FAST = { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' };

describe.skipIf(DOCKER_MISSING !== null)('generic containers on a real Docker Engine', () => {
  let filter: FilteredDocker;
  let pair: Pair;

  beforeAll(async () => {
    simulatorImageWith(IMAGE, FAST);
    filter = await FilteredDocker.open({ targetImage: IMAGE });
    pair = await Pair.start({
      orchestrator: {
        ENGINE_RUNTIME: 'docker',
        DOCKER_HOST: filter.host,
        TARGET_IMAGE: IMAGE,
        IMAGE_PULL: 'never',
        MIN_REPLICAS: '1',
        ENGINE_MEMORY_LIMIT: '512MiB',
        ENGINE_CACHE_LIMIT_GB: '3',
      },
    });
    await until('an engine', async () => (await pair.engines()).length === 1);
  });
  afterAll(async () => {
    await pair.stop();
    await filter.close();
  });

  const provision = (body: object): Promise<ProvisionResponse> => pair.api('/provision', { method: 'POST', body: JSON.stringify(body) });

  it('a container runs as requested, survives a kill -9 of the orchestrator, is listed by label but not as an engine, and can be deleted', async () => {
    const [port] = await freePorts(1);
    const { container_id: id, container_name: name } = await provision({
      env: { HTTP_PORT: '40001', BIND_ALL: 'true', COLOUR: 'blue' },
      labels: { tier: 'gold' },
      ports: { '40001/tcp': port },
      name_prefix: 'web',
    });
    const { Name, Config, HostConfig } = await docker.getContainer(id).inspect();
    expect(Name).toBe(`/${name}`);
    expect(Config.Env).toEqual(expect.arrayContaining(['HTTP_PORT=40001', 'COLOUR=blue']));
    expect(Config.Labels).toMatchObject({ tier: 'gold', 'orchestrator.managed': 'acestream' });
    expect(HostConfig.PortBindings).toEqual({ '40001/tcp': [{ HostIp: '', HostPort: String(port) }] });
    expect(HostConfig.Memory).toBe(0);
    await until('the container answers', async () => (await fetch(`http://127.0.0.1:${port}/`)).status > 0);

    pair.orchestrator.kill('SIGKILL');
    await pair.orchestrator.exited;
    pair.startOrchestrator();
    const [found] = await until('the container is listed again', async () => {
      const list = await pair.api<ContainerInfo[]>('/by-label?key=tier&value=gold');
      return list.length > 0 && list;
    });
    expect(found).toMatchObject({
      id,
      name,
      status: 'running',
      ports: { '40001/tcp': expect.arrayContaining([{ HostIp: '0.0.0.0', HostPort: String(port) }]) as unknown },
    });
    expect((await pair.api<{ container_id: string }[]>('/engines?state=all')).map(({ container_id }) => container_id)).not.toContain(id);
    await expect(provision({ ports: { '1/tcp': port } })).rejects.toThrow(
      `400 {"statusCode":400,"error":"Bad Request","message":"ports: port ${port} belongs to ${name}`,
    );
    expect(await pair.api(`/containers/${id}`, { method: 'DELETE' })).toEqual({ deleted: id });
    await expect(docker.getContainer(id).inspect()).rejects.toThrow('no such container');
  });

  it('another image is refused, and the answer names ALLOWED_IMAGES', async () => {
    await expect(provision({ image: 'evil:1' })).rejects.toThrow('image evil:1 is neither TARGET_IMAGE');
    expect(filter.refused).toEqual([expect.stringContaining('ALLOWED_IMAGES')]);
  });

  it('an engine shows its memory and cache limits in docker inspect', async () => {
    const [engine] = await until('an engine', async () => (await pair.engines()).length > 0 && pair.engines());
    const { Config, HostConfig } = await docker.getContainer(engine.container_id).inspect();
    expect(HostConfig.Memory).toBe(512 * 2 ** 20);
    expect(Config.Env).toContain('CACHE_LIMIT=3');
  });
});

describe.skipIf(DOCKER_MISSING !== null)('an image that is not present', () => {
  let registry: ImageRegistry;
  const localImage = `acestream-pull-test:${randomBytes(4).toString('hex')}`;

  beforeAll(async () => {
    // Most bytes of the image are random, so Docker must download it.
    const folder = mkdtempSync(join(tmpdir(), 'pull-test-'));
    writeFileSync(join(folder, 'ballast'), randomBytes(20_000_000));
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${simulatorImageWith(IMAGE, FAST)}\nCOPY ballast /ballast\n`);
    execFileSync('docker', ['build', '-q', '-t', localImage, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    rmSync(folder, { recursive: true });
    registry = await ImageRegistry.with(localImage);
    // Until the test has seen its progress.
    registry.bytesPerSecond = 2e6;
    execFileSync('docker', ['rmi', localImage], { stdio: 'ignore' });
  });
  afterAll(async () => {
    execFileSync('docker', ['rmi', '-f', registry.image], { stdio: 'ignore' });
    await registry.close();
  });

  it('readiness shows the pull with its progress as degraded and 200; no engine is started meanwhile, and engines start as soon as the image is present', async () => {
    const pair = await Pair.start({
      orchestrator: {
        ENGINE_RUNTIME: 'docker',
        TARGET_IMAGE: registry.image,
        MIN_REPLICAS: '1',
        MONITOR_INTERVAL_S: '60',
        AUTOSCALE_INTERVAL_S: '600',
      },
    });
    try {
      const seen: number[] = [];
      const image = await until(
        'the image',
        async () => {
          const answer = await pair.api<{ status: string; circuit_state: string; image: { state: string; percent: number | null } }>(
            '/health/ready',
          );
          expect(answer.circuit_state).toBe('closed');
          if (answer.image.state === 'pulling') {
            expect(answer.status).toBe('degraded');
            seen.push(answer.image.percent ?? -1);
            if (new Set(seen).size > 3) registry.bytesPerSecond = Infinity;
            return false;
          }
          return answer.image.state === 'present' && answer.image;
        },
        60_000,
      );
      expect(image).toEqual({ name: registry.image, state: 'present', percent: null, reason: null });
      expect(new Set(seen).size).toBeGreaterThan(3);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      // Long before the next round of the pool.
      await until('an engine', async () => (await pair.engines()).length === 1);
      expect(pair.orchestrator.log).not.toContain('provisioning refused');
      expect(pair.orchestrator.log).not.toContain('provisioning failed');
    } finally {
      await pair.stop();
    }
  });
});
