import { SILENT_LOG } from '@acexy/service-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EngineSpec, PortTakenError, RuntimeUnreachableError } from '../engine-runtime.js';
import { dockerEndpoint } from './docker-endpoint.js';
import { DockerRuntime } from './docker-runtime.js';
import { ScriptedDocker } from '../../../../../test/doubles/orchestrator/scripted-docker.js';

const NAME = 'acestream-1';
const SPEC: EngineSpec = {
  name: NAME,
  kind: 'acestream',
  env: {},
  labels: { mine: 'yes' },
  ports: { http: 19_000, https: 45_000, api: 62_062, p2p: 36_000 },
};
const NEVER = new AbortController().signal;

describe('a start that meets a bad Docker', () => {
  let docker: ScriptedDocker;
  let runtime: DockerRuntime;

  beforeEach(async () => {
    docker = await ScriptedDocker.open();
    runtime = new DockerRuntime(
      {
        endpoint: dockerEndpoint(`unix://${docker.socketPath}`),
        placement: { network: null, engineHost: null, remoteHost: null, memoryBytes: null, mapHttps: false },
        image: 'engine:1',
        imagePolicy: 'never',
        ownerLabel: 'mine=yes',
      },
      SILENT_LOG,
    );
  });
  afterEach(async () => {
    await runtime.close();
    await docker.close();
  });

  const failureOf = async (signal = NEVER): Promise<Error> => {
    const outcome = await runtime.start(SPEC, signal).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Error);
    return outcome as Error;
  };

  it('works where nothing is wrong, and where every call is slow', async () => {
    for (const call of ['create', 'start', 'list'] as const) docker.faults[call] = { afterMs: 150 };
    expect(await runtime.start(SPEC, NEVER)).toMatchObject({ name: NAME, state: 'running', port: 19_000 });
    expect(docker.names).toEqual([NAME]);
  });

  it.each([
    [
      'has no space left to create it',
      'create',
      { status: 500, message: 'write /var/lib/docker/x: no space left on device' },
      'docker system df',
    ],
    [
      'has no space left to start it',
      'start',
      { status: 500, message: 'failed to create shim: no space left on device' },
      'docker system df',
    ],
    [
      'has another container of that name',
      'create',
      { status: 409, message: 'Conflict. The container name "/x" is already in use' },
      'the name is taken',
    ],
    ['has not the image', 'create', { status: 404, message: 'No such image: engine:1' }, 'image engine:1 is not on this Docker Engine'],
    ['has not the network', 'start', { status: 404, message: 'network shared not found' }, 'docker network create'],
    ['is filtered', 'create', { status: 403, message: 'Forbidden' }, 'a filter in front of Docker'],
    [
      'falls over itself',
      'start',
      { status: 500, message: 'OCI runtime create failed: exec: "engine": not found' },
      'OCI runtime create failed',
    ],
    ['cannot be looked at afterwards', 'list', { status: 500, message: 'database is locked' }, 'database is locked'],
  ] as const)('Docker %s: says so, and leaves nothing behind', async (_what, call, fault, said) => {
    docker.faults[call] = fault;
    const { message } = await failureOf();
    expect(message).toContain(said);
    expect(docker.names).toEqual([]);
  });

  it('a port that turns out taken at the start is told as such, and the container is gone', async () => {
    docker.faults.start = {
      status: 500,
      message: 'driver failed programming external connectivity: Bind for 0.0.0.0:19000 failed: port is already allocated',
    };
    const error = await failureOf();
    expect(error).toBeInstanceOf(PortTakenError);
    expect((error as PortTakenError).port).toBe(19_000);
    expect(docker.names).toEqual([]);
  });

  it('a container of the same name that is not ours is left alone', async () => {
    docker.occupyName(NAME);
    expect((await failureOf()).message).toContain('the name is taken');
    expect(docker.names).toEqual([NAME]);
  });

  it('Docker refuses the connection: it is out of reach, which says nothing of engines', async () => {
    await docker.close();
    const error = await failureOf();
    expect(error).toBeInstanceOf(RuntimeUnreachableError);
    expect(error.message).toContain('no Docker Engine answers');
    docker = await ScriptedDocker.open();
  });

  it.each(['create', 'start'] as const)('%s hangs: it is given up at the limit, and what was there is removed', async (call) => {
    docker.faults[call] = { hangs: true };
    expect(await failureOf(AbortSignal.timeout(100))).toMatchObject({ name: 'TimeoutError' });
    expect(docker.names).toEqual([]);
  });

  it('a create that hangs and is carried out after it was given up leaves nothing behind either', async () => {
    docker.faults.create = { hangs: true, doneAfterMs: 600 };
    await failureOf(AbortSignal.timeout(100));
    // A close waits for what is still to be put away.
    await runtime.close();
    expect(docker.names).toEqual([]);
  });
});
