/** The routes of Gluetun's control server that clients use. A client without the right role gets the status of a real Gluetun. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readObject, reply } from './json-http.js';
import { mayCall, type Role } from './roles.js';
import type { SimulatedVpn } from './simulated-vpn.js';

/** `older`: before 3.41, which knows the forwarded port by its older path only. */
export type Generation = 'current' | 'older';

const PORT = '/v1/portforward';
const OLDER_PORT = '/v1/openvpn/portforwarded';

export function createControlServer(vpn: SimulatedVpn, role: Role | null, generation: Generation): Server {
  return createServer((request, response) => {
    answer(request, response, vpn, role, generation).catch((error: unknown) => reply(response, 400, { error: (error as Error).message }));
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  vpn: SimulatedVpn,
  role: Role | null,
  generation: Generation,
): Promise<void> {
  const { state } = vpn;
  switch (state.answers) {
    case 'never':
      return;
    case 'error':
      return reply(response, 500, { error: 'internal error' });
    case 'garbage':
      return void response.end('<html>');
    case 'well':
      break;
    default:
      state.answers satisfies never;
  }
  const route = `${request.method} ${(request.url ?? '').split('?')[0]}`;
  const known = generation === 'older' ? OLDER_PORT : PORT;
  // What no role lists is refused as what the caller may not call is.
  const routes = ['GET /v1/vpn/status', 'PUT /v1/vpn/status', 'GET /v1/publicip/ip', `GET ${PORT}`, `GET ${OLDER_PORT}`];
  if (!mayCall(role, request.headers) || !routes.includes(route)) return void response.writeHead(401).end('Unauthorized\n');
  switch (route) {
    case 'GET /v1/vpn/status':
      return reply(response, 200, { status: state.status });
    case 'PUT /v1/vpn/status':
      return change(request, response, vpn);
    case 'GET /v1/publicip/ip':
      return reply(response, 200, { public_ip: state.publicIp });
    case `GET ${known}`:
      return reply(response, 200, { port: state.forwardedPort });
    default:
      if (generation === 'older') return void response.writeHead(404).end();
      return void response.writeHead(301, { Location: PORT }).end();
  }
}

async function change(request: IncomingMessage, response: ServerResponse, vpn: SimulatedVpn): Promise<void> {
  const { status } = await readObject(request);
  if (status === 'running') vpn.start();
  else if (status === 'stopped') vpn.stop();
  else throw new Error('status is running or stopped');
  reply(response, 200, { outcome: status });
}
