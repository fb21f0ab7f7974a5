import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createFaultApi, parseChange } from './fault-api.js';
import { createControlServer, type Generation } from './control-server.js';
import { readOptions } from './options.js';
import { parseRole, type Role } from './roles.js';
import { SimulatedVpn } from './simulated-vpn.js';

const servers: Server[] = [];
let vpn: SimulatedVpn;

async function open(server: Server): Promise<string> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The control server of a VPN that is up, and its orders. */
async function simulated(
  role: Role | null = { auth: 'none' },
  generation: Generation = 'current',
): Promise<{ url: string; orders: string }> {
  vpn = new SimulatedVpn({ connectMs: 0, portDelayMs: 0, forwardedPort: 51_413, publicIp: '203.0.113.7' });
  vpn.set({ tunnel: true, status: 'running', healthy: true, forwardedPort: 51_413, publicIp: '203.0.113.7' });
  return { url: await open(createControlServer(vpn, role, generation)), orders: await open(createFaultApi(vpn)) };
}

afterEach(() => {
  vpn?.cancel();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('the control server of a simulated Gluetun', () => {
  const get = async (url: string, headers: Record<string, string> = {}): Promise<[number, string]> => {
    const response = await fetch(url, { headers, redirect: 'manual' });
    return [response.status, await response.text()];
  };

  it('tells status, port and address', async () => {
    const { url } = await simulated();
    expect(await get(`${url}/v1/vpn/status`)).toEqual([200, '{"status":"running"}']);
    expect(await get(`${url}/v1/portforward`)).toEqual([200, '{"port":51413}']);
    expect(await get(`${url}/v1/publicip/ip`)).toEqual([200, '{"public_ip":"203.0.113.7"}']);
  });

  it.each([
    ['current', 301, 200],
    ['older', 200, 404],
  ] as const)('of the %s kind knows the port by its own path', async (generation, older, newer) => {
    const { url } = await simulated(undefined, generation);
    expect((await get(`${url}/v1/openvpn/portforwarded`))[0]).toBe(older);
    expect((await get(`${url}/v1/portforward`))[0]).toBe(newer);
  });

  it.each([
    ['no role', '', {}, 401],
    ['a key', '{"auth":"apikey","apikey":"k3y"}', { 'X-API-Key': 'k3y' }, 200],
    ['another key', '{"auth":"apikey","apikey":"k3y"}', { 'X-API-Key': 'key' }, 401],
    ['a password', '{"auth":"basic","username":"me","password":"p"}', { Authorization: `Basic ${btoa('me:p')}` }, 200],
    ['no password', '{"auth":"basic","username":"me","password":"p"}', {}, 401],
  ])('with %s', async (_, role, headers, status) => {
    const { url } = await simulated(parseRole('ROLE', role));
    expect((await get(`${url}/v1/vpn/status`, headers as Record<string, string>))[0]).toBe(status);
  });

  it('refuses what no role lists', async () => {
    const { url } = await simulated();
    expect((await get(`${url}/v1/dns/status`))[0]).toBe(401);
  });

  it('stops and starts the VPN', async () => {
    const { url } = await simulated();
    const put = (status: string): Promise<Response> => fetch(`${url}/v1/vpn/status`, { method: 'PUT', body: JSON.stringify({ status }) });
    await put('stopped');
    expect(vpn.state).toMatchObject({ tunnel: false, status: 'stopped', healthy: false, forwardedPort: 0 });
    const up = new Promise<void>((resolve) => vpn.onChange(({ forwardedPort }) => forwardedPort === 51_413 && resolve()));
    await put('running');
    await up;
    expect(vpn.state).toMatchObject({ tunnel: true, status: 'running', healthy: true });
    expect((await put('sideways')).status).toBe(400);
  });
});

describe('a bad day', () => {
  it('changes what it names, and ends when it was to end', async () => {
    const { orders } = await simulated();
    const over = new Promise<void>((resolve) => vpn.onChange(({ tunnel }) => tunnel && resolve()));
    const response = await fetch(`${orders}/__sim/state`, { method: 'PUT', body: '{"tunnel": false, "forMs": 20}' });
    expect(await response.json()).toMatchObject({ tunnel: false, status: 'running', healthy: true, forwardedPort: 51_413 });
    await over;
    expect(vpn.state.tunnel).toBe(true);
  });

  it('is seen by a health check', async () => {
    const { orders } = await simulated();
    expect((await fetch(`${orders}/__sim/health`)).status).toBe(200);
    vpn.set({ healthy: false });
    expect((await fetch(`${orders}/__sim/health`)).status).toBe(503);
  });

  it.each([
    [{ tunel: false }, /tunel: there is no such field/],
    [{ status: 'well' }, /status: must be running/],
    [{ forwardedPort: 70_000 }, /forwardedPort: must be 0 to 65535/],
    [{ tunnel: true, forMs: -1 }, /forMs/],
  ])('%j is refused', (body, message) => {
    expect(() => parseChange(body)).toThrow(message);
  });
});

it.each([
  [{ GLUETUN_SIM_PORT: '70000' }, /GLUETUN_SIM_PORT/],
  [{ GLUETUN_SIM_GENERATION: 'new' }, /GLUETUN_SIM_GENERATION/],
  [{ HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: '{"auth":"apikey"}' }, /HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE/],
])('a variable that cannot be is named: %j', (env, message) => {
  expect(() => readOptions(env)).toThrow(message);
});
