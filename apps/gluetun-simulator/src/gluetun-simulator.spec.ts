import fc from 'fast-check';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFaultApi, parseChange } from './fault-api.js';
import { createControlServer, type Role, type Version } from './control-server.js';
import { OptionError } from './option-error.js';
import { readOptions } from './options.js';
import { parseRoleFile } from './role-file.js';
import { VpnConnection } from './vpn-connection.js';

const servers: Server[] = [];
const VPN = { connectMs: 0, portDelayMs: 0, forwardedPorts: [51_413], publicIp: '203.0.113.7' };
let vpn: VpnConnection;

async function open(server: Server): Promise<string> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The URLs of the control server of a connected VPN and of its fault API. */
async function startSimulator(
  roles: readonly Role[] = [{ auth: 'none', routes: null }],
  version: Version = '3.41',
): Promise<{ url: string; faultApi: string }> {
  vpn = new VpnConnection(VPN);
  vpn.set({ tunnel: true, status: 'running', healthy: true, forwardedPorts: [51_413], publicIp: '203.0.113.7' });
  return { url: await open(createControlServer(vpn, roles, version)), faultApi: await open(createFaultApi(vpn)) };
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
    expect(await get(`${url}/v1/portforward`)).toEqual([200, '{"port":51413,"ports":[51413]}']);
    expect(await get(`${url}/v1/publicip/ip`)).toEqual([200, '{"public_ip":"203.0.113.7"}']);
  });

  it.each([
    ['3.40', [200, '{"port":51413}'], [404, '']],
    ['3.41', [301, ''], [200, '{"port":51413,"ports":[51413]}']],
    ['4', [404, ''], [200, '{"ports":[51413]}']],
  ] as const)('of version %s has the ports under its own path and in its own form', async (version, older, newer) => {
    const { url } = await startSimulator(undefined, version);
    expect(await get(`${url}/v1/openvpn/portforwarded`)).toEqual(older);
    expect(await get(`${url}/v1/portforward`)).toEqual(newer);
  });

  it.each([
    ['no role configured', '', {}, 401],
    ['right key', '{"auth":"apikey","apikey":"k3y"}', { 'X-API-Key': 'k3y' }, 200],
    ['wrong key', '{"auth":"apikey","apikey":"k3y"}', { 'X-API-Key': 'key' }, 401],
    ['right password', '{"auth":"basic","username":"me","password":"p"}', { Authorization: `Basic ${btoa('me:p')}` }, 200],
    ['missing password', '{"auth":"basic","username":"me","password":"p"}', {}, 401],
  ])('authenticates a client: %s', async (_, role, headers, status) => {
    const { url } = await startSimulator(readOptions({ HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: role }, null).roles);
    expect((await get(`${url}/v1/vpn/status`, headers as Record<string, string>))[0]).toBe(status);
  });

  it('answers 401 for a route that no role lists', async () => {
    const { url } = await startSimulator([{ auth: 'none', routes: ['GET /v1/vpn/status'] }]);
    expect((await get(`${url}/v1/vpn/status`))[0]).toBe(200);
    expect((await get(`${url}/v1/publicip/ip`))[0]).toBe(401);
  });

  it('stops and starts the VPN', async () => {
    const { url } = await startSimulator();
    const put = (status: string): Promise<Response> => fetch(`${url}/v1/vpn/status`, { method: 'PUT', body: JSON.stringify({ status }) });
    await put('stopped');
    expect(vpn.state).toMatchObject({ tunnel: false, status: 'stopped', healthy: false, forwardedPorts: [] });
    const up = new Promise<void>((resolve) => vpn.onChange(({ forwardedPorts }) => forwardedPorts[0] === 51_413 && resolve()));
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
    expect(await response.json()).toMatchObject({ tunnel: false, status: 'running', healthy: true, forwardedPorts: [51_413] });
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
    [{ forwardedPorts: [70_000] }, /forwardedPorts is \[70000\]: it must be a list of numbers from 1 to 65535/],
    [{ tunnel: true, forMs: -1 }, /forMs is -1/],
  ])('rejects %j', (body, message) => {
    expect(() => parseChange(body)).toThrow(message);
  });
});

it.each([
  [{ GLUETUN_SIM_PORT: '70000' }, /GLUETUN_SIM_PORT/],
  [{ GLUETUN_SIM_VERSION: '2' }, /GLUETUN_SIM_VERSION/],
  [{ GLUETUN_SIM_FORWARDED_PORTS: '1,x' }, /GLUETUN_SIM_FORWARDED_PORTS/],
  [{ GLUETUN_SIM_PROBE: 'x' }, /GLUETUN_SIM_PROBE/],
  [{ HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: '{"auth":"apikey"}' }, /HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE/],
])('names the variable with an invalid value: %j', (env, message) => {
  expect(() => readOptions(env, null)).toThrow(message);
});

describe("Gluetun's role file", () => {
  const shipped = (name: string): string => readFileSync(new URL(`../../../docker/gluetun/${name}`, import.meta.url), 'utf8');

  it.each([
    ['auth-config.v3.40.toml', '3.40', 'GET /v1/openvpn/portforwarded'],
    ['auth-config.toml', '3.41', 'GET /v1/portforward'],
    ['auth-config.toml', '4', 'GET /v1/portforward'],
  ])('%s lets version %s start and read its ports', (name, version, route) => {
    const { roles } = readOptions({ GLUETUN_SIM_VERSION: version }, shipped(name));
    const routes = ['GET /v1/vpn/status', route, 'GET /v1/publicip/ip'];
    expect(roles).toEqual([{ auth: 'apikey', apikey: 'change-me', routes }]);
  });

  it.each([
    ['auth-config.toml', '3.40', 'GET /v1/portforward'],
    ['auth-config.v3.40.toml', '4', 'GET /v1/openvpn/portforwarded'],
  ])('%s does not let version %s start', (name, version, route) => {
    expect(() => readOptions({ GLUETUN_SIM_VERSION: version }, shipped(name))).toThrow(
      `route not supported by the control server of version ${version}: ${route}`,
    );
  });

  it('may have lists on one line, comments, and several roles', () => {
    const text =
      '# all\n[[roles]]\nroutes = ["GET /a", "GET /b#c"] # two\nauth = "none"\n\n[[roles]]\nauth = "basic"\nusername = "me"\npassword = "#"\n';
    expect(parseRoleFile(text)).toEqual([
      { auth: 'none', routes: ['GET /a', 'GET /b#c'] },
      { auth: 'basic', username: 'me', password: '#', routes: [] },
    ]);
  });

  it('is rejected with the line that is wrong', () => {
    expect(() => parseRoleFile('[[roles]]\nauth = none')).toThrow('line 2 of the role file has no value in quotes: auth = none');
    expect(() => parseRoleFile('auth = "none"')).toThrow('line 1 of the role file is neither [[roles]] nor a field of a role');
  });

  it('of any roles is read as it was written', () => {
    const word = fc.stringMatching(/^[\w #=[\]/.-]{1,20}$/);
    const role = fc.record({ apikey: word, routes: fc.array(word, { maxLength: 4 }) });
    const written = ({ apikey, routes }: { apikey: string; routes: string[] }): string =>
      `[[roles]]\nname = "x"\nroutes = [\n${routes.map((route) => `  "${route}",\n`).join('')}] # end\nauth = "apikey"\napikey = "${apikey}"\n`;
    fc.assert(
      fc.property(fc.array(role, { maxLength: 3 }), (roles) => {
        expect(parseRoleFile(roles.map(written).join('\n'))).toEqual(roles.map((each) => ({ auth: 'apikey', ...each })));
      }),
    );
  });

  it('of any text is read, or rejected with a message', () => {
    const part = fc.constantFrom('[[roles]]', '\n', 'routes = [', ']', '"', 'auth = "none"', '#', ' ', 'apikey = ', 'x');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        try {
          parseRoleFile(parts.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(OptionError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
