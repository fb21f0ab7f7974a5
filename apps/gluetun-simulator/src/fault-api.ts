/** Fault injection for tests on a separate port: `GET /__sim/state`, `PUT /__sim/state`, and `GET /__sim/health` for a container's health check. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readObject, reply } from './json-http.js';
import { ANSWERS, type SimulatedVpn, VPN_STATUSES, type VpnState } from './simulated-vpn.js';

type Check = (value: unknown) => boolean;

const FIELDS: Record<keyof VpnState, { is: Check; right: string }> = {
  tunnel: { is: (value) => typeof value === 'boolean', right: 'true or false' },
  status: { is: (value) => VPN_STATUSES.some((status) => status === value), right: VPN_STATUSES.join(', ') },
  healthy: { is: (value) => typeof value === 'boolean', right: 'true or false' },
  forwardedPort: { is: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535, right: '0 to 65535' },
  publicIp: { is: (value) => typeof value === 'string', right: 'an address' },
  answers: { is: (value) => ANSWERS.some((answer) => answer === value), right: ANSWERS.join(', ') },
};

/** Reads the changed fields and their duration in milliseconds (`forMs`). Throws if a field is unknown or invalid. */
export function parseChange(body: Record<string, unknown>): { change: Partial<VpnState>; forMs?: number } {
  const { forMs, ...change } = body;
  if (forMs !== undefined && !(typeof forMs === 'number' && forMs > 0)) throw new Error('forMs is a number of milliseconds above 0');
  for (const [name, value] of Object.entries(change)) {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof VpnState] : undefined;
    if (!field) throw new Error(`${name}: there is no such field; there are ${Object.keys(FIELDS).join(', ')}`);
    if (!field.is(value)) throw new Error(`${name}: must be ${field.right}`);
  }
  return { change, forMs };
}

export function createFaultApi(vpn: SimulatedVpn): Server {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    switch (`${request.method} ${request.url}`) {
      case 'GET /__sim/health':
        return reply(response, vpn.state.healthy ? 200 : 503, { healthy: vpn.state.healthy });
      case 'GET /__sim/state':
        return reply(response, 200, vpn.state);
      case 'PUT /__sim/state': {
        const { change, forMs } = parseChange(await readObject(request));
        vpn.set(change, forMs);
        return reply(response, 200, vpn.state);
      }
      default:
        return reply(response, 404, { error: `there is no ${request.method} ${request.url}` });
    }
  };
  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => reply(response, 400, { error: (error as Error).message }));
  });
}
