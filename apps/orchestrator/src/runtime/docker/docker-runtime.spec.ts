import { SILENT_LOG } from '@acexy/service-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EngineSpec, NotPreparedError, PortTakenError, RuntimeUnreachableError } from '../engine-runtime.js';
import { dockerEndpoint } from './docker-endpoint.js';
import { DockerRuntime, type DockerRuntimeOptions } from './docker-runtime.js';
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

describe('a start when Docker fails', () => {
  let docker: ScriptedDocker;
  let runtime: DockerRuntime;

  beforeEach(async () => {
    docker = await ScriptedDocker.open();
    runtime = newRuntime('never');
    // Takes the lease of the installation, before anything fails.
    await runtime.open();
  });
  afterEach(async () => {
    await runtime.close();
    await docker.close();
  });

  const newRuntime = (imagePolicy: DockerRuntimeOptions['imagePolicy']): DockerRuntime =>
    new DockerRuntime(
      {
        endpoint: dockerEndpoint(`unix://${docker.socketPath}`),
        placement: { network: null, engineHost: null, remoteHost: null, memoryBytes: null, mapHttps: false, engineBind: '' },
        image: 'engine:1',
        imagePolicy,
        ownerLabel: 'mine=yes',
        holder: { id: 'one', name: 'process 1' },
      },
      SILENT_LOG,
    );
  const engines = (): string[] => docker.names.filter((name) => !name.includes('-lease-'));
  const failureOf = async (signal = NEVER, spec = SPEC): Promise<Error> => {
    const outcome = await runtime.start(spec, signal).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Error);
    return outcome as Error;
  };

  it('succeeds when every call is slow', async () => {
    for (const call of ['create', 'start', 'list'] as const) docker.faults[call] = { afterMs: 150 };
    expect(await runtime.start(SPEC, NEVER)).toMatchObject({ name: NAME, state: 'running', port: 19_000 });
    expect(engines()).toEqual([NAME]);
  });

  it.each([
    [
      'has no space left to create the container',
      'create',
      { status: 500, message: 'write /var/lib/docker/x: no space left on device' },
      'docker system df',
    ],
    [
      'has no space left to start the container',
      'start',
      { status: 500, message: 'failed to create shim: no space left on device' },
      'docker system df',
    ],
    [
      'has another container with that name',
      'create',
      { status: 409, message: 'Conflict. The container name "/x" is already in use' },
      'the name is taken',
    ],
    [
      'does not have the image',
      'create',
      { status: 404, message: 'No such image: engine:1' },
      'image engine:1 is not on this Docker Engine',
    ],
    ['does not have the network', 'start', { status: 404, message: 'network shared not found' }, 'docker network create'],
    ['is behind a filter that rejects the call', 'create', { status: 403, message: 'Forbidden' }, 'a filter in front of Docker'],
    [
      'fails to run the command',
      'start',
      { status: 500, message: 'OCI runtime create failed: exec: "engine": not found' },
      'OCI runtime create failed',
    ],
    ['cannot list the container afterwards', 'list', { status: 500, message: 'database is locked' }, 'database is locked'],
  ] as const)('Docker %s: the error names it, and nothing is left behind', async (_what, call, fault, said) => {
    docker.faults[call] = fault;
    const { message } = await failureOf();
    expect(message).toContain(said);
    expect(engines()).toEqual([]);
  });

  it('reports a port that is taken at the start, and removes the container', async () => {
    docker.faults.start = {
      status: 500,
      message: 'driver failed programming external connectivity: Bind for 0.0.0.0:19000 failed: port is already allocated',
    };
    const error = await failureOf();
    expect(error).toBeInstanceOf(PortTakenError);
    expect((error as PortTakenError).port).toBe(19_000);
    expect(engines()).toEqual([]);
  });

  it('does not touch a container of the same name that is not ours', async () => {
    docker.occupyName(NAME);
    expect((await failureOf()).message).toContain('the name is taken');
    expect(engines()).toEqual([NAME]);
  });

  it('reports that Docker is unreachable when it refuses the connection', async () => {
    await docker.close();
    const error = await failureOf();
    expect(error).toBeInstanceOf(RuntimeUnreachableError);
    expect(error.message).toContain('no Docker Engine answers');
    docker = await ScriptedDocker.open();
  });

  it.each(['create', 'start'] as const)('aborts a %s that hangs at its limit, and removes the container', async (call) => {
    docker.faults[call] = { hangs: true };
    expect(await failureOf(AbortSignal.timeout(100))).toMatchObject({ name: 'TimeoutError' });
    expect(engines()).toEqual([]);
  });

  it('leaves nothing behind when Docker carries out a create after it was aborted', async () => {
    docker.faults.create = { hangs: true, doneAfterMs: 600 };
    await failureOf(AbortSignal.timeout(100));
    // `close` waits for the cleanup.
    await runtime.close();
    expect(engines()).toEqual([]);
  });

  it('remembers the failed pulls of a bounded number of images that callers named', async () => {
    runtime = newRuntime('missing');
    const start = (image: string): Promise<Error> => failureOf(NEVER, { ...SPEC, image });
    const nextTurns = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 100));
    docker.faults.create = { status: 404, message: 'No such image' };
    expect(await start('other:0')).toBeInstanceOf(NotPreparedError);
    await nextTurns();
    expect((await start('other:0')).message).toContain('no /images/create here');
    for (let index = 1; index <= 50; index += 1) await start(`other:${index}`);
    await nextTurns();
    expect(await start('other:0')).toBeInstanceOf(NotPreparedError);
  });
});
