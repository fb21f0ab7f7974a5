/** The routes of Gluetun's control server that clients use. A client without the required role gets the status of a real Gluetun. */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readJsonObject, replyJson } from './json-body.js';
import type { VpnConnection } from './vpn-connection.js';

/** Authentication that the control server requires; `null` in its place rejects everybody, as a Gluetun without a role does. */
export type Role = { auth: 'none' } | { auth: 'apikey'; apikey: string } | { auth: 'basic'; username: string; password: string };

/** `older`: before 3.41, which has the forwarded port only under its older path. */
export type Generation = 'current' | 'older';

const PORT = '/v1/portforward';
const OLDER_PORT = '/v1/openvpn/portforwarded';
const ROUTES = ['GET /v1/vpn/status', 'PUT /v1/vpn/status', 'GET /v1/publicip/ip', `GET ${PORT}`, `GET ${OLDER_PORT}`];

export function createControlServer(vpn: VpnConnection, role: Role | null, generation: Generation): Server {
  return createServer((request, response) => {
    answer(request, response, vpn, role, generation).catch((error: unknown) =>
      replyJson(response, 400, { error: (error as Error).message }),
    );
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  vpn: VpnConnection,
  role: Role | null,
  generation: Generation,
): Promise<void> {
  const { state } = vpn;
  switch (state.answers) {
    case 'never':
      return;
    case 'error':
      return replyJson(response, 500, { error: 'internal error' });
    case 'garbage':
      return void response.end('<html>');
    case 'well':
      break;
    default:
      state.answers satisfies never;
  }
  const route = `${request.method} ${(request.url ?? '').split('?')[0]}`;
  // Gluetun answers 401 also for routes that no role lists.
  if (!isAuthorized(role, request.headers) || !ROUTES.includes(route)) return void response.writeHead(401).end('Unauthorized\n');
  switch (route) {
    case 'GET /v1/vpn/status':
      return replyJson(response, 200, { status: state.status });
    case 'PUT /v1/vpn/status':
      return changeStatus(request, response, vpn);
    case 'GET /v1/publicip/ip':
      return replyJson(response, 200, { public_ip: state.publicIp });
    case `GET ${generation === 'older' ? OLDER_PORT : PORT}`:
      return replyJson(response, 200, { port: state.forwardedPort });
    default:
      if (generation === 'older') return void response.writeHead(404).end();
      return void response.writeHead(301, { Location: PORT }).end();
  }
}

async function changeStatus(request: IncomingMessage, response: ServerResponse, vpn: VpnConnection): Promise<void> {
  const { status } = await readJsonObject(request);
  if (status === 'running') vpn.connect();
  else if (status === 'stopped') vpn.disconnect();
  else throw new Error(`status is ${JSON.stringify(status)}: it must be "running" or "stopped"`);
  replyJson(response, 200, { outcome: status });
}

function isAuthorized(role: Role | null, headers: IncomingHttpHeaders): boolean {
  switch (role?.auth) {
    case undefined:
      return false;
    case 'none':
      return true;
    case 'apikey':
      return isEqual(String(headers['x-api-key'] ?? ''), role.apikey);
    case 'basic':
      return isEqual(headers.authorization ?? '', `Basic ${Buffer.from(`${role.username}:${role.password}`).toString('base64')}`);
    default:
      return role satisfies never;
  }
}

function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
