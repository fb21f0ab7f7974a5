import { describe, expect, it } from 'vitest';
import { PortTakenError, RuntimeFailedError, RuntimeUnreachableError } from '../engine-runtime.js';
import { dockerEndpoint } from './docker-endpoint.js';
import { translateDockerError, ImageMissingError, isAlreadyDone } from './docker-errors.js';

const context = { endpoint: 'unix:///var/run/docker.sock', image: 'engine:latest', network: 'ace' };
const dockerError = (statusCode: number, message: string): Error =>
  Object.assign(new Error(`(HTTP code ${statusCode}) ${message}`), { statusCode, json: { message } });

describe("Docker's errors", () => {
  it.each([
    'driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:19000 failed: port is already allocated',
    'driver failed programming external connectivity on endpoint x: Error starting userland proxy: listen tcp4 0.0.0.0:19000: bind: address already in use',
    'failed to set up container networking: driver failed: failed to bind host port for 127.0.0.1:19000:172.17.0.2:19000/tcp: address already in use',
  ])('finds the taken port in: %s', (message) => {
    expect(translateDockerError(dockerError(500, message), 'the start', context)).toMatchObject({ name: PortTakenError.name, port: 19000 });
  });

  it('a missing image has an error class of its own', () => {
    expect(translateDockerError(dockerError(404, 'No such image: engine:latest'), 'the start', context)).toBeInstanceOf(ImageMissingError);
  });

  it.each([
    [dockerError(404, 'network ace not found'), 'docker network create ace'],
    [dockerError(409, 'Conflict. The container name "/x" is already in use'), 'taken by another container'],
    [dockerError(500, 'write /var/lib/docker/x: no space left on device'), 'docker system df'],
    [dockerError(403, 'forbidden'), 'filter in front of Docker'],
    [Object.assign(new Error('connect ENOENT'), { code: 'ENOENT' }), 'no Docker Engine answers at unix:///var/run/docker.sock'],
    [Object.assign(new Error('connect EACCES'), { code: 'EACCES' }), 'no permission for unix:///var/run/docker.sock'],
    [Object.assign(new Error('aborted'), { code: 'ABORT_ERR' }), 'did not answer in time'],
  ])('%s becomes an error that says what to do', (error, advice) => {
    const explained = translateDockerError(error, 'the start of acestream-1', context);
    expect(explained).toBeInstanceOf(RuntimeFailedError);
    expect(explained.message).toContain('the start of acestream-1 failed');
    expect(explained.message).toContain(advice);
  });

  it('a filter that cannot reach Docker counts as an unreachable Docker, with what the filter says', () => {
    const explained = translateDockerError(dockerError(503, 'no Docker Engine answers at unix:///x'), 'the start', context);
    expect(explained).toBeInstanceOf(RuntimeUnreachableError);
    expect(explained.message).toBe('the start failed: no Docker Engine answers at unix:///x');
  });

  it('a container that is stopped or being removed needs no further call', () => {
    expect(isAlreadyDone(dockerError(304, 'container already stopped'))).toBe(true);
    expect(isAlreadyDone(dockerError(409, 'removal of container x is already in progress'))).toBe(true);
    expect(isAlreadyDone(dockerError(409, 'You cannot remove a running container'))).toBe(false);
  });
});

describe('DOCKER_HOST', () => {
  it.each([
    [undefined, { socketPath: '/var/run/docker.sock' }, null],
    ['unix:///run/user/1000/docker.sock', { socketPath: '/run/user/1000/docker.sock' }, null],
    ['tcp://docker:2375', { host: 'docker', port: 2375, protocol: 'http' }, 'docker'],
    ['tcp://docker', { host: 'docker', port: 2375, protocol: 'http' }, 'docker'],
    ['tcp://[::1]:2375', { host: '::1', port: 2375, protocol: 'http' }, '::1'],
  ])('%s', (text, options, remoteHost) => {
    expect(dockerEndpoint(text)).toMatchObject({ options, remoteHost });
  });

  it.each(['docker:2375', 'ssh://me@host', 'tcp://', 'unix://relative', 'tcp://host:2375/path'])(
    'rejects %s and says what would be right',
    (text) => {
      expect(() => dockerEndpoint(text)).toThrow('must be');
    },
  );
});
