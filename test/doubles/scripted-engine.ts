import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import type { EngineAddress } from '../../libs/engine-client/src/address.js';
import type { EngineError } from '../../libs/engine-client/src/errors.js';

export interface ScriptedEngine {
  address: EngineAddress;
  /** Path and query of every request, in order. */
  requests: string[];
  headers: IncomingHttpHeaders[];
  connections: Socket[];
}

/** A real HTTP server on a free port that answers as told; it ends with the test. */
export async function scriptedEngine(answer: RequestListener): Promise<ScriptedEngine> {
  const requests: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createHttpServer((request, response) => {
    requests.push(request.url ?? '');
    headers.push(request.headers);
    answer(request, response);
  });
  return { ...(await listen(server)), requests, headers };
}

/** A server that answers every connection with bytes of its own choice. */
export async function rawEngine(answer: (socket: Socket) => void): Promise<EngineAddress> {
  const server = createTcpServer((socket) => {
    // A client that gives up resets the connection, which is no failure of the test.
    socket.on('error', () => socket.destroy());
    answer(socket);
  });
  return (await listen(server)).address;
}

/** An address at which nobody listens. */
export async function deadAddress(): Promise<EngineAddress> {
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return { host: '127.0.0.1', port };
}

/** Python's way of writing JSON, with a space after the colon, as engines send it. */
export function json(response: ServerResponse, body: string, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

/** What a call fails with; a call that does not fail fails the test. */
export async function failure(call: Promise<unknown>): Promise<EngineError> {
  return call.then(
    (value) => expect.unreachable(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error as EngineError,
  );
}

async function listen(server: Server): Promise<{ address: EngineAddress; connections: Socket[] }> {
  const connections: Socket[] = [];
  server.on('connection', (socket: Socket) => connections.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    connections.forEach((socket) => socket.destroy());
    server.close();
  });
  return { address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, connections };
}
