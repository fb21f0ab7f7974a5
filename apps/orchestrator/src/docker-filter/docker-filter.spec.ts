import { SILENT_LOG } from '@acexy/service-kit';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { INSTALLATION_LABEL } from '../runtime/engine-labels.js';
import { DockerFilter } from './docker-filter.js';

const OURS = { Id: 'c0ffee', Name: '/acestream-1', Config: { Labels: { [INSTALLATION_LABEL]: 'ours' } } };
const EVENTS = `/events?filters=${encodeURIComponent('{"type":["container"],"event":["die"]}')}`;
const EVENT = '{"Action":"die"}\n';

describe('the server of the filter in front of Docker', () => {
  let docker: Server;
  let filter: DockerFilter;
  let address: string;
  /** The calls that reached Docker. */
  let calls: string[];
  let answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void;

  beforeEach(async () => {
    calls = [];
    answer = (incoming, outgoing) => {
      const known = incoming.url === '/containers/acestream-1/json';
      outgoing
        .writeHead(known ? 200 : 404, { 'Content-Type': 'application/json' })
        .end(JSON.stringify(known ? OURS : { message: 'no such container' }));
    };
    docker = createServer((incoming, outgoing) => {
      calls.push(`${incoming.method} ${incoming.url}`);
      answer(incoming, outgoing);
    }).listen(0, '127.0.0.1');
    await once(docker, 'listening');
    const { port } = docker.address() as AddressInfo;
    const endpoint = { name: 'tcp://docker', options: { host: '127.0.0.1', port, protocol: 'http' as const }, remoteHost: null };
    filter = new DockerFilter(endpoint, { targetImage: 'engine', otherImages: [], network: null, vpnContainers: [] }, SILENT_LOG);
    address = `http://127.0.0.1:${await filter.listen(0, '127.0.0.1')}`;
    // Asks once for its own container, to learn the compose project.
    await fetch(`${address}/_ping`);
    calls.length = 0;
  });
  afterEach(async () => {
    await filter.close();
    docker.closeAllConnections();
    docker.close();
  });

  it('answers 403 with the reason, and sends nothing to Docker', async () => {
    const reply = await fetch(`${address}/secrets`);
    expect([reply.status, await reply.json()]).toEqual([
      403,
      { message: 'Docker filter: GET /secrets is not one of the calls that the orchestrator makes' },
    ]);
    expect(calls).toEqual([]);
  });

  it('passes on that Docker does not know a container, and sends an allowed call to the id of the container', async () => {
    expect((await fetch(`${address}/containers/gone/stop?t=1`, { method: 'POST' })).status).toBe(404);
    answer = (incoming, outgoing) => (incoming.method === 'GET' ? outgoing.end(JSON.stringify(OURS)) : outgoing.writeHead(204).end());
    expect((await fetch(`${address}/containers/acestream-1/stop?t=1`, { method: 'POST' })).status).toBe(204);
    expect(calls).toEqual(['GET /containers/gone/json', 'GET /containers/acestream-1/json', 'POST /containers/c0ffee/stop?t=1']);
  });

  it('sends no body to Docker but that of a create: old versions take mounts in the body of a start', async () => {
    let received = '';
    answer = (incoming, outgoing) => {
      incoming.on('data', (part: Buffer) => (received += part.toString()));
      incoming.on('end', () => outgoing.end(JSON.stringify(OURS)));
    };
    await fetch(`${address}/containers/acestream-1/start`, { method: 'POST', body: '{"Binds":["/:/host"]}' });
    expect({ received, last: calls.at(-1) }).toEqual({ received: '', last: 'POST /containers/c0ffee/start' });
  });

  it('passes events on as they come, and ends its subscription when the caller leaves', async () => {
    const closed = new Promise<void>((resolve) => {
      answer = (_, outgoing) => {
        outgoing.once('close', () => resolve());
        outgoing.flushHeaders();
        outgoing.write(EVENT);
      };
    });
    const call = request(`${address}${EVENTS}`).end();
    const [reply] = (await once(call, 'response')) as [IncomingMessage];
    const [first] = (await once(reply, 'data')) as [Buffer];
    expect(first.toString()).toBe(EVENT);
    call.destroy();
    await closed;
  });

  it('breaks its reply off when Docker breaks off, so that the caller does not take it for complete', async () => {
    answer = (_, outgoing) => {
      outgoing.writeHead(200, { 'Content-Length': '100' }).write('[');
      setTimeout(() => outgoing.destroy(), 50);
    };
    await expect(fetch(`${address}/containers/json`).then((reply) => reply.text())).rejects.toThrow();
  });

  it('answers 503 with the address when Docker does not answer', async () => {
    docker.closeAllConnections();
    docker.close();
    const reply = await fetch(`${address}/_ping`);
    expect([reply.status, await reply.json()]).toEqual([503, { message: 'no Docker Engine answers at tcp://docker (ECONNREFUSED)' }]);
  });

  it('answers 413 to a body that is larger than any create', async () => {
    const call = request(`${address}/containers/create`, { method: 'POST' });
    call.on('error', () => undefined); // the filter closes the connection while the body is sent
    const replied = once(call, 'response') as Promise<[IncomingMessage]>;
    call.end(Buffer.alloc(2 ** 20 + 1, 32));
    expect((await replied)[0].statusCode).toBe(413);
    expect(calls).toEqual([]);
  });
});
