/** deploy/two-proxies/haproxy.cfg in a real HAProxy: which content it reads in a request, and to which proxy it sends all requests for a content. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type Server, createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_HAPROXY, Haproxy } from './support/haproxy.js';
import { freePorts } from './support/ports.js';
import { ROOT } from './support/service-process.js';
import { until } from './support/until.js';

const cases = readFileSync(join(ROOT, 'apps/proxy/src/http/getstream.cases.tsv'), 'utf8')
  .split('\n')
  .map((line) => line.split('\t'))
  // HAProxy refuses a request with a fragment.
  .filter(([target, read]) => target.startsWith('/') && !target.includes('#') && (read === 'id' || read === 'infohash'));

describe.skipIf(!HAS_HAPROXY)('the load balancer of several proxies', () => {
  const folder = mkdtempSync(join(tmpdir(), 'haproxy-'));
  const socketPath = join(folder, 'socket');
  let haproxy: ChildProcess;

  beforeAll(async () => {
    const config = readFileSync(join(ROOT, 'deploy/two-proxies/haproxy.cfg'), 'utf8');
    const [, rules] = /^frontend viewers\n {2}bind :8080\n([^]*?) {2}default_backend/m.exec(config)!;
    const frontend = `frontend viewers\n  bind unix@${socketPath}\n${rules}`;
    const answer = '  http-request return status 200 content-type text/plain lf-string "%[var(txn.content)]"\n';
    writeFileSync(
      join(folder, 'haproxy.cfg'),
      `defaults\n  mode http\n  timeout connect 9s\n  timeout client 9s\n  timeout server 9s\n${frontend}${answer}`,
    );
    haproxy = spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' });
    await until('haproxy listens', () => Promise.resolve(existsSync(socketPath)));
  });
  afterAll(async () => {
    haproxy.kill('SIGKILL');
    if (haproxy.exitCode === null && haproxy.signalCode === null) await once(haproxy, 'exit');
    rmSync(folder, { recursive: true });
  });

  it.each(cases)('sees the content in %s', async (path) => {
    const [reply] = (await once(request({ socketPath, path, agent: false }).end(), 'response')) as [IncomingMessage];
    expect(await text(reply)).toBe('b'.repeat(40));
  });
});

describe.skipIf(!HAS_HAPROXY)('replicas that come and go', () => {
  const folder = mkdtempSync(join(tmpdir(), 'haproxy-'));
  const contents = Array.from({ length: 60 }, (_, index) => (index * 7919).toString(16).padStart(40, '0'));
  const replicas = new Map<string, Server>();
  let port: number;
  let balancer: Haproxy;

  /** A stand-in for the proxy that answers with its address. */
  const replicaAt = async (address: string): Promise<void> => {
    const server = createServer((_, reply) => reply.end(address)).listen(port, address);
    await once(server, 'listening');
    replicas.set(address, server);
  };
  const stop = (address: string): void => replicas.get(address)!.close().closeAllConnections();
  /** The address of the replica to which each content goes; null while HAProxy has none. */
  const placesOf = async (): Promise<(string | null)[]> => {
    const replies = await Promise.all(contents.map((content) => fetch(`${balancer.url}/ace/getstream?id=${content}`)));
    return Promise.all(replies.map((reply) => (reply.ok ? reply.text() : null)));
  };
  /** HAProxy may learn of a change between two requests, so the places count when they are the same twice. */
  const untilPlaced = (on: readonly string[]): Promise<(string | null)[]> =>
    until(`contents are on ${on.join(', ')}`, async () => {
      const places = await placesOf();
      const settled = isDeepStrictEqual(places, await placesOf());
      return settled && new Set(places).size === on.length && places.every((place) => on.includes(place!)) && places;
    });

  beforeAll(async () => {
    [port] = await freePorts(1);
    for (const address of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) await replicaAt(address);
    balancer = await Haproxy.start(folder, ['127.0.0.1', '127.0.0.2', '127.0.0.3'], port);
  });
  afterAll(async () => {
    await balancer.stop();
    for (const address of replicas.keys()) stop(address);
    rmSync(folder, { recursive: true });
  });

  it('a new one takes over a share of the contents, and all others stay; when it goes away, they come back', async () => {
    const before = await untilPlaced(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    await replicaAt('127.0.0.4');
    balancer.addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];
    const withFourth = await untilPlaced(['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']);
    const moved = withFourth.filter((place, index) => place !== before[index]);
    expect(new Set(moved)).toEqual(new Set(['127.0.0.4']));
    expect(moved.length).toBeLessThan(contents.length / 2);
    balancer.addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
    expect(await untilPlaced(['127.0.0.1', '127.0.0.2', '127.0.0.3'])).toEqual(before);
  });

  it('one that comes back with another address has its contents again', async () => {
    const before = await untilPlaced(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    stop('127.0.0.2');
    await replicaAt('127.0.0.5');
    balancer.addresses = ['127.0.0.1', '127.0.0.5', '127.0.0.3'];
    const after = await untilPlaced(['127.0.0.1', '127.0.0.5', '127.0.0.3']);
    expect(after).toEqual(before.map((place) => (place === '127.0.0.2' ? '127.0.0.5' : place)));
  });
});
