/** Engines for the tests of the engine client: servers with answers from the test. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import type { EngineAddress } from '../../libs/engine-client/src/address.js';
import type { EngineError } from '../../libs/engine-client/src/errors.js';
import { ScriptedServer, type SeenRequest } from './scripted-server.js';

export interface ScriptedEngine {
  address: EngineAddress;
  /** Path and query of every request, in order. */
  requests: string[];
  headers: IncomingHttpHeaders[];
  /** The connections that are open. */
  connections: ReadonlySet<Socket>;
}

export type EngineAnswer = (request: SeenRequest, response: ServerResponse) => void;

/** An engine with answers from the test, over HTTP, until the test ends. */
export async function scriptedEngine(answer: EngineAnswer): Promise<ScriptedEngine> {
  const requests: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = await ScriptedServer.forTest((response, request) => {
    requests.push(request.path);
    headers.push(request.headers);
    answer(request, response);
  });
  return { address: server.address, requests, headers, connections: server.sockets };
}

/** A TCP server that answers every connection with the bytes that the test writes. */
export async function rawEngine(answer: (socket: Socket) => void): Promise<EngineAddress> {
  const server = createServer((socket) => {
    // A client that aborts resets the connection. That must not fail the test.
    socket.on('error', () => socket.destroy());
    answer(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connections: Socket[] = [];
  server.on('connection', (socket) => connections.push(socket));
  onTestFinished(() => {
    connections.forEach((socket) => socket.destroy());
    server.close();
  });
  return addressOf(server);
}

/** An address at which no server listens. */
export async function deadAddress(): Promise<EngineAddress> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = addressOf(server);
  server.close();
  await once(server, 'close');
  return address;
}

/** Sends JSON text as the body. Engines write JSON as Python does, with a space after the colon. */
export function json(response: ServerResponse, body: string, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

/** The error of a call. A call that succeeds fails the test. */
export async function failure(call: Promise<unknown>): Promise<EngineError> {
  return call.then(
    (value) => expect.unreachable(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error as EngineError,
  );
}

function addressOf(server: Server): EngineAddress {
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}
