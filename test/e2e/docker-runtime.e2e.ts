import { SILENT_LOG } from '@acexy/service-kit';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { dockerEndpoint } from '../../apps/orchestrator/src/runtime/docker/docker-endpoint.js';
import { DockerRuntime } from '../../apps/orchestrator/src/runtime/docker/docker-runtime.js';
import type { EngineSpec } from '../../apps/orchestrator/src/runtime/engine-runtime.js';
import { describeEngineRuntime } from '../doubles/orchestrator/engine-runtime.contract.js';
import { containersWith, docker, DOCKER_MISSING, removeContainersWith, SIMULATOR_IMAGE } from '../support/docker.js';
import { FilteredDocker } from '../support/filtered-docker.js';
import { freePorts } from '../support/ports.js';

if (DOCKER_MISSING === null) {
  describeEngineRuntime('a real Docker Engine behind the filter of the compose files', async () => {
    const installation = randomUUID();
    const ownerLabel = `acestream-orchestrator.installation=${installation}`;
    const missingImage = 'acestream-orchestrator-test/no-such-image:1';
    const filter = await FilteredDocker.open({ targetImage: SIMULATOR_IMAGE, otherImages: [missingImage] });
    const runtimes: DockerRuntime[] = [];
    const make = (): DockerRuntime => {
      const runtime = new DockerRuntime(
        {
          endpoint: dockerEndpoint(filter.host),
          placement: { network: null, engineHost: null, remoteHost: null, memoryBytes: 256 * 2 ** 20, mapHttps: false, engineBind: '' },
          image: SIMULATOR_IMAGE,
          imagePolicy: 'never',
          ownerLabel,
          holder: { id: installation, name: 'this test' },
        },
        SILENT_LOG,
      );
      runtimes.push(runtime);
      return runtime;
    };
    const ports = await freePorts(12);
    const spec = (image?: string): EngineSpec => {
      const [http, p2p] = ports.splice(0, 2);
      return {
        name: `runtime-test-${http}-${installation.slice(0, 8)}`,
        kind: 'acestream',
        ...(image !== undefined && { image }),
        env: { HTTP_PORT: String(http), P2P_PORT: String(p2p), BIND_ALL: 'true', SIM_BOOT_MS: '100' },
        labels: { 'acestream-orchestrator': 'true', 'acestream-orchestrator.installation': installation },
        ports: { http, https: 45_000, api: 62_062, p2p },
      };
    };
    const runtime = make();
    await runtime.open();
    return {
      runtime,
      createNext: make,
      spec: () => spec(),
      failingSpec: () => spec(missingImage),
      kill: async ({ id }) => {
        await docker.getContainer(id).kill();
        await docker.getContainer(id).wait();
      },
      occupy: (port) =>
        new Promise((resolve, reject) => {
          const server = createServer().once('error', reject);
          server.listen(port, '0.0.0.0', () => resolve(() => new Promise((closed) => server.close(() => closed()))));
        }),
      // The lease of the installation does not have the second label: it stays until the runtime closes.
      leftovers: () => containersWith(ownerLabel, 'acestream-orchestrator'),
      dispose: async () => {
        await Promise.all(runtimes.map((one) => one.close()));
        await removeContainersWith(ownerLabel);
        await filter.close();
        expect(filter.refused).toEqual([]);
      },
    };
  });

  it('a second orchestrator with a copy of the database is refused while the first runs, and not after the first has stopped', async () => {
    const ownerLabel = `acestream-orchestrator.installation=${randomUUID()}`;
    const make = (id: string): DockerRuntime => {
      const placement = { network: null, engineHost: null, engineBind: '', remoteHost: null, memoryBytes: null, mapHttps: false };
      const options = { endpoint: dockerEndpoint(undefined), placement, image: SIMULATOR_IMAGE, imagePolicy: 'never' as const, ownerLabel };
      return new DockerRuntime({ ...options, holder: { id, name: `orchestrator ${id}` } }, SILENT_LOG);
    };
    const [first, second] = [make('one'), make('two')];
    try {
      await first.open();
      // The last list may meet the end of the test.
      first.watch(() => void first.list().catch(() => undefined));
      await expect(second.open()).rejects.toMatchObject({
        code: 'installation_in_use',
        message: expect.stringContaining('orchestrator one') as string,
      });
      // Killed and started again with its own database: the lease is still there.
      const restarted = make('one');
      await restarted.open();
      await restarted.close();
      await second.open();
    } finally {
      await Promise.all([first.close(), second.close()]);
      await removeContainersWith(ownerLabel);
    }
    expect(await containersWith(ownerLabel)).toEqual([]);
  });
} else {
  describe('a real Docker Engine as an engine runtime', () => {
    it.skip(String(DOCKER_MISSING), () => undefined);
  });
}
