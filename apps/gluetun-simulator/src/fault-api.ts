/** Fault injection for tests on a separate port: `GET /__sim/state`, `PUT /__sim/state`, and `GET /__sim/health` for a container's health check. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readJsonObject, replyJson } from './json-body.js';
import { ANSWERS, VPN_STATUSES, type VpnConnection, type VpnState } from './vpn-connection.js';

/** A check for each field, and what is right. */
const FIELDS: Record<keyof VpnState, [(value: unknown) => boolean, string]> = {
  tunnel: [(value) => typeof value === 'boolean', 'true or false'],
  status: [(value) => VPN_STATUSES.some((status) => status === value), `one of ${VPN_STATUSES.join(', ')}`],
  healthy: [(value) => typeof value === 'boolean', 'true or false'],
  forwardedPorts: [(value) => Array.isArray(value) && value.every(isPort), 'a list of numbers from 1 to 65535'],
  publicIp: [(value) => typeof value === 'string', 'an address'],
  answers: [(value) => ANSWERS.some((answer) => answer === value), `one of ${ANSWERS.join(', ')}`],
};

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
}

/** Reads the changed fields and their duration in milliseconds (`forMs`). Throws if a field is unknown or invalid. */
export function parseChange(body: Record<string, unknown>): { change: Partial<VpnState>; forMs?: number } {
  const { forMs, ...change } = body;
  if (forMs !== undefined && !(typeof forMs === 'number' && forMs > 0))
    throw new Error(`forMs is ${JSON.stringify(forMs)}: it must be a number of milliseconds above 0`);
  for (const [name, value] of Object.entries(change)) {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof VpnState] : undefined;
    if (!field) throw new Error(`unknown field ${name}: use ${Object.keys(FIELDS).join(', ')}`);
    const [isValid, valid] = field;
    if (!isValid(value)) throw new Error(`${name} is ${JSON.stringify(value)}: it must be ${valid}`);
  }
  return { change, forMs };
}

export function createFaultApi(vpn: VpnConnection): Server {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    switch (`${request.method} ${request.url}`) {
      case 'GET /__sim/health':
        return replyJson(response, vpn.state.healthy ? 200 : 503, { healthy: vpn.state.healthy });
      case 'GET /__sim/state':
        return replyJson(response, 200, vpn.state);
      case 'PUT /__sim/state': {
        const { change, forMs } = parseChange(await readJsonObject(request));
        vpn.set(change, forMs);
        return replyJson(response, 200, vpn.state);
      }
      default:
        return replyJson(response, 404, { error: `unknown route: ${request.method} ${request.url}` });
    }
  };
  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => replyJson(response, 400, { error: (error as Error).message }));
  });
}
