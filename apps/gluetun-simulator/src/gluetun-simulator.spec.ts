import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFaultApi, parseChange } from './fault-api.js';
import { createControlServer, type Generation, type Role } from './control-server.js';
import { readOptions } from './options.js';
import { VpnConnection } from './vpn-connection.js';

const servers: Server[] = [];
const VPN = { connectMs: 0, portDelayMs: 0, forwardedPort: 51_413, publicIp: '203.0.113.7' };
let vpn: VpnConnection;

async function open(server: Server): Promise<string> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The URLs of the control server of a connected VPN and of its fault API. */
async function startSimulator(
  role: Role | null = { auth: 'none' },
  generation: Generation = 'current',
): Promise<{ url: string; faultApi: string }> {
  vpn = new VpnConnection(VPN);
  vpn.set({ tunnel: true, status: 'running', healthy: true, forwardedPort: 51_413, publicIp: '203.0.113.7' });
  return { url: await open(createControlServer(vpn, role, generation)), faultApi: await open(createFaultApi(vpn)) };
}

afterEach(() => {
  vi.useRealTimers();
  vpn?.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('control server of a simulated Gluetun', () => {
  const get = async (url: string, headers: Record<string, string> = {}): Promise<[number, string]> => {
    const response = await fetch(url, { headers, redirect: 'manual' });
    return [response.status, await response.text()];
  };

  it('answers with status, port and address', async () => {
    const { url } = await startSimulator();
    expect(await get(`${url}/v1/vpn/status`)).toEqual([200, '{"status":"running"}']);
    expect(await get(`${url}/v1/portforward`)).toEqual([200, '{"port":51413}']);
    expect(await get(`${url}/v1/publicip/ip`)).toEqual([200, '{"public_ip":"203.0.113.7"}']);
  });

  it.each([
    ['current', 301, 200],
    ['older', 200, 404],
  ] as const)('of the %s generation has the port under its own path', async (generation, older, newer) => {
    const { url } = await startSimulator(undefined, generation);
    expect((await get(`${url}/v1/openvpn/portforwarded`))[0]).toBe(older);
    expect((await get(`${url}/v1/portforward`))[0]).toBe(newer);
  });

  it.each([
    ['no role configured', '', {}, 401],
    ['right key', '{"auth":"apikey","apikey":"k3y"}', { 'X-API-Key': 'k3y' }, 200],
    ['wrong key', '{"auth":"apikey","apikey":"k3y"}', { 'X-API-Key': 'key' }, 401],
    ['right password', '{"auth":"basic","username":"me","password":"p"}', { Authorization: `Basic ${btoa('me:p')}` }, 200],
    ['missing password', '{"auth":"basic","username":"me","password":"p"}', {}, 401],
  ])('authenticates a client: %s', async (_, role, headers, status) => {
    const { url } = await startSimulator(readOptions({ HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: role }).role);
    expect((await get(`${url}/v1/vpn/status`, headers as Record<string, string>))[0]).toBe(status);
  });

  it('answers 401 for a route that no role lists', async () => {
    const { url } = await startSimulator();
    expect((await get(`${url}/v1/dns/status`))[0]).toBe(401);
  });

  it('stops and starts the VPN', async () => {
    const { url } = await startSimulator();
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

describe('fault API', () => {
  it('changes only the given fields, for the given time', async () => {
    const { faultApi } = await startSimulator();
    const restored = new Promise<void>((resolve) => vpn.onChange(({ tunnel }) => tunnel && resolve()));
    const response = await fetch(`${faultApi}/__sim/state`, { method: 'PUT', body: '{"tunnel": false, "forMs": 20}' });
    expect(await response.json()).toMatchObject({ tunnel: false, status: 'running', healthy: true, forwardedPort: 51_413 });
    await restored;
    expect(vpn.state.tunnel).toBe(true);
  });

  it('keeps a field changed until the last of two overlapping changes ends', () => {
    vi.useFakeTimers();
    vpn = new VpnConnection(VPN);
    vpn.set({ tunnel: true });
    vpn.set({ tunnel: false }, 3000);
    vi.advanceTimersByTime(1000);
    vpn.set({ tunnel: false }, 3000);
    vi.advanceTimersByTime(2000);
    expect(vpn.state.tunnel).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(vpn.state.tunnel).toBe(true);
  });

  it('lets a lasting change win over an earlier one that ends later', () => {
    vi.useFakeTimers();
    vpn = new VpnConnection(VPN);
    vpn.set({ tunnel: false, healthy: false }, 3000);
    vpn.set({ tunnel: true });
    expect(vpn.state).toMatchObject({ tunnel: true, healthy: false });
    vi.advanceTimersByTime(3000);
    expect(vpn.state.tunnel).toBe(true);
  });

  it('changes the result of the health check', async () => {
    const { faultApi } = await startSimulator();
    expect((await fetch(`${faultApi}/__sim/health`)).status).toBe(200);
    vpn.set({ healthy: false });
    expect((await fetch(`${faultApi}/__sim/health`)).status).toBe(503);
  });

  it.each([
    [{ tunel: false }, /unknown field tunel/],
    [{ status: 'well' }, /status is "well": it must be one of running/],
    [{ forwardedPort: 70_000 }, /forwardedPort is 70000: it must be a number from 0 to 65535/],
    [{ tunnel: true, forMs: -1 }, /forMs is -1/],
  ])('rejects %j', (body, message) => {
    expect(() => parseChange(body)).toThrow(message);
  });
});

it.each([
  [{ GLUETUN_SIM_PORT: '70000' }, /GLUETUN_SIM_PORT/],
  [{ GLUETUN_SIM_GENERATION: 'new' }, /GLUETUN_SIM_GENERATION/],
  [{ HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: '{"auth":"apikey"}' }, /HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE/],
])('names the variable with an invalid value: %j', (env, message) => {
  expect(() => readOptions(env)).toThrow(message);
});
