/** The routes of Gluetun's control server that clients use. A client without the required role gets the status of a real Gluetun. */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readJsonObject, replyJson } from './json-body.js';
import type { VpnConnection } from './vpn-connection.js';

/** Authentication that a role requires. */
export type Auth = { auth: 'none' } | { auth: 'apikey'; apikey: string } | { auth: 'basic'; username: string; password: string };

/** Who may call which routes. `routes` is null for the default role, which has the routes that no other role names. */
export type Role = Auth & { routes: readonly string[] | null };

/** Versions whose control servers differ. */
export const VERSIONS = ['3.40', '3.41', '4'] as const;
export type Version = (typeof VERSIONS)[number];

const PORT = 'GET /v1/portforward';
const OLDER_PORT = 'GET /v1/openvpn/portforwarded';
const COMMON = ['GET /v1/vpn/status', 'PUT /v1/vpn/status', 'GET /v1/publicip/ip', 'GET /v1/vpn/settings'];
const ROUTES: Readonly<Record<Version, readonly string[]>> = {
  '3.40': [...COMMON, OLDER_PORT],
  '3.41': [...COMMON, OLDER_PORT, PORT],
  '4': [...COMMON, PORT],
};

/** The first route in the roles that the version does not know; a real Gluetun then does not start. */
export function unknownRoute(roles: readonly Role[], version: Version): string | undefined {
  return roles.flatMap(({ routes }) => routes ?? []).find((route) => !ROUTES[version].includes(route));
}

/** @param roles without any, everybody is rejected */
export function createControlServer(vpn: VpnConnection, roles: readonly Role[], version: Version): Server {
  const mayCall = (route: string, headers: IncomingHttpHeaders): boolean => {
    const named = roles.filter(({ routes }) => routes?.includes(route));
    return (named.length > 0 ? named : roles.filter(({ routes }) => routes === null)).some((role) => isAuthorized(role, headers));
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
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
    if (!mayCall(route, request.headers)) return void response.writeHead(401).end('Unauthorized\n');
    switch (route) {
      case 'GET /v1/vpn/status':
        return replyJson(response, 200, { status: state.status });
      case 'PUT /v1/vpn/status':
        return changeStatus(request, response, vpn);
      case 'GET /v1/publicip/ip':
        return replyJson(response, 200, { public_ip: state.publicIp });
      case OLDER_PORT:
        if (version === '3.41') return void response.writeHead(301, { Location: '/v1/portforward' }).end();
        return version === '3.40' ? replyJson(response, 200, portsReply(state.forwardedPorts, version)) : notFound(response);
      case PORT:
        return version === '3.40' ? notFound(response) : replyJson(response, 200, portsReply(state.forwardedPorts, version));
      default:
        return notFound(response);
    }
  };
  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => replyJson(response, 400, { error: (error as Error).message }));
  });
}

function portsReply(ports: readonly number[], version: Version): object {
  const port = ports.at(0) ?? 0;
  switch (version) {
    case '3.40':
      return { port };
    case '3.41':
      return { port, ports };
    case '4':
      return { ports };
    default:
      return version satisfies never;
  }
}

function notFound(response: ServerResponse): void {
  response.writeHead(404).end();
}

async function changeStatus(request: IncomingMessage, response: ServerResponse, vpn: VpnConnection): Promise<void> {
  const { status } = await readJsonObject(request);
  if (status === 'running') vpn.connect();
  else if (status === 'stopped') vpn.disconnect();
  else throw new Error(`status is ${JSON.stringify(status)}: it must be "running" or "stopped"`);
  replyJson(response, 200, { outcome: status });
}

function isAuthorized(role: Auth, headers: IncomingHttpHeaders): boolean {
  switch (role.auth) {
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
