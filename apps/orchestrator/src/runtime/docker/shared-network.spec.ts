import { SILENT_LOG } from '@acexy/service-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineSpec } from '../engine-runtime.js';
import { dockerEndpoint } from './docker-endpoint.js';
import { DockerRuntime } from './docker-runtime.js';
import { realNetworkName } from './shared-network.js';
import { ScriptedDocker } from '../../../../../test/doubles/orchestrator/scripted-docker.js';

describe('the real name of the network that engines and services share', () => {
  it.each([
    ['has the prefix of the compose project', ['tv_docker', 'tv_acestream', 'tv_monitoring'], 'tv_acestream'],
    ['is the name in the setting if our container is in that network', ['tv_acestream', 'acestream'], 'acestream'],
    ['is the name in the setting if our container is in no such network', ['bridge', 'myacestream'], 'acestream'],
    ['is the name in the setting outside a container', [], 'acestream'],
  ])('%s', (_, own, expected) => {
    expect(realNetworkName('acestream', own)).toBe(expected);
  });
});

describe('an engine on Docker', () => {
  let docker: ScriptedDocker;
  let runtime: DockerRuntime;
  const spec: EngineSpec = {
    name: 'acestream-1',
    kind: 'acestream',
    env: {},
    labels: { mine: 'yes' },
    ports: { http: 19_000, https: 45_000, api: 62_062, p2p: 36_000 },
  };

  beforeEach(async () => {
    docker = await ScriptedDocker.open();
    runtime = new DockerRuntime(
      {
        endpoint: dockerEndpoint(`unix://${docker.socketPath}`),
        placement: { network: 'acestream', engineHost: null, remoteHost: null, memoryBytes: null, mapHttps: false, engineBind: '' },
        image: 'engine:1',
        imagePolicy: 'never',
        ownerLabel: 'mine=yes',
        holder: { id: 'one', name: 'process 1' },
      },
      SILENT_LOG,
    );
  });
  afterEach(async () => {
    await runtime.close();
    await docker.close();
  });
  /** Of the engine, and of the container that is the lease of the installation. */
  const networksOfStarted = async (): Promise<(string | undefined)[]> => {
    await runtime.start(spec, new AbortController().signal);
    return [...docker.containers.values()].map(({ networkMode }) => networkMode);
  };

  it('joins the network of the compose project in which the orchestrator runs', async () => {
    docker.ownNetworks = ['tv_docker', 'tv_acestream'];
    expect(await networksOfStarted()).toEqual(['tv_acestream', 'tv_acestream']);
  });

  it('joins the network of the setting if the orchestrator does not run in a container', async () => {
    expect(await networksOfStarted()).toEqual(['acestream', 'acestream']);
  });
});
