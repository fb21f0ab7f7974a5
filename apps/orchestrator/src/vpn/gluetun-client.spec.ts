import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forwardedPortsIn, GluetunClient, type GluetunCredentials } from './gluetun-client.js';
import { GluetunControlServer } from '../../../../test/doubles/gluetun-control-server.js';

describe("the client of Gluetun's control server", () => {
  let control: GluetunControlServer;
  const never = new AbortController().signal;

  beforeEach(async () => {
    control = await GluetunControlServer.start();
  });
  afterEach(() => control.close());

  const client = (credentials: GluetunCredentials = {}): GluetunClient =>
    new GluetunClient({ host: '127.0.0.1', port: control.port, credentials, timeoutMs: 1000 });

  it('returns the status of the VPN, its public address and its forwarded ports', async () => {
    control.up(40_404);
    expect(await client().vpnStatus(never)).toBe('running');
    expect(await client().publicIp(never)).toBe('203.0.113.7');
    expect(await client().forwardedPorts(never)).toEqual([40_404]);
  });

  it('returns no port for port 0, and null for an empty address', async () => {
    control.up(0);
    control.answers.set('/v1/publicip/ip', { public_ip: '' });
    expect(await client().forwardedPorts(never)).toEqual([]);
    expect(await client().publicIp(never)).toBeNull();
  });

  it.each([
    ['does not exist', 404],
    ['is not allowed by the role', 401],
  ])('uses the older path for the port if the new one %s, and from then on only that path', async (_, status) => {
    control.answers.set('/v1/portforward', status);
    control.answers.set('/v1/openvpn/portforwarded', { port: 5000 });
    const asked = client();
    expect(await asked.forwardedPorts(never)).toEqual([5000]);
    expect(await asked.forwardedPorts(never)).toEqual([5000]);
    expect(control.requests.map(({ path }) => path)).toEqual(['/v1/portforward', '/v1/openvpn/portforwarded', '/v1/openvpn/portforwarded']);
  });

  it.each([
    ['a key', { apiKey: 'k3y' }, { 'x-api-key': 'k3y' }],
    ['user name and password', { username: 'me', password: 'pass' }, { authorization: `Basic ${btoa('me:pass')}` }],
  ])('sends %s', async (_, credentials, headers) => {
    control.up();
    await client(credentials).vpnStatus(never);
    expect(control.requests[0].headers).toMatchObject(headers);
  });

  it('names the setting that helps if the server rejects the key, without showing the key', async () => {
    const refused = client({ apiKey: 'wr0ng' }).forwardedPorts(never);
    await expect(refused).rejects.toMatchObject({ code: 'unauthorized', message: expect.stringContaining('GLUETUN_API_KEY') as string });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('wr0ng') as string });
  });

  it.each([
    ['no JSON', 'pong', /no JSON object: "pong"/],
    ['no port', { port: 'many' }, /has no ports: {"port":"many"}/],
    ['neither field', { message: 'hello' }, /has no ports/],
    ['an impossible port', { ports: [51_633, 70_000] }, /has no ports/],
    ['an error status', 500, /has status 500/],
  ])('does not accept a reply with %s', async (_, answer, message) => {
    control.answers.set('/v1/portforward', answer);
    await expect(client().forwardedPorts(never)).rejects.toMatchObject({
      code: 'bad_reply',
      message: expect.stringMatching(message) as string,
    });
  });

  it('names the address of a server that does not answer', async () => {
    const away = new GluetunClient({ host: '127.0.0.1', port: 1, credentials: {}, timeoutMs: 1000 });
    await expect(away.vpnStatus(never)).rejects.toMatchObject({
      code: 'unreachable',
      message: 'the control server of Gluetun does not answer at 127.0.0.1:1 (ECONNREFUSED)',
    });
  });
});

describe('the forwarded ports in a reply of Gluetun', () => {
  const CASES = readFileSync(new URL('./gluetun-portforward.fixture.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');

  it.each(CASES)('%s', (line) => {
    const { reply, ports } = JSON.parse(line) as { reply: Record<string, unknown>; ports: number[] | null };
    expect(forwardedPortsIn(reply)).toEqual(ports);
  });

  it('are different ports from 1 to 65535 that the reply has, or the reply is rejected', () => {
    const value = fc.oneof(fc.integer({ min: -1, max: 65_536 }), fc.constantFrom(0, 1, 65_535), fc.anything());
    const reply = fc.record({ port: value, ports: fc.oneof(fc.array(value, { maxLength: 4 }), fc.anything()) }, { requiredKeys: [] });
    fc.assert(
      fc.property(reply, (given) => {
        const found = forwardedPortsIn(given);
        if (found === null) return;
        expect(new Set(found).size).toBe(found.length);
        for (const port of found) {
          expect(port).toBeGreaterThan(0);
          expect(port).toBeLessThanOrEqual(65_535);
          expect([given.port, given.ports].flat()).toContain(port);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of a version that forwards ports are those in its list', () => {
    const ports = fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(ports, (list) => {
        expect(forwardedPortsIn({ port: list[0] })).toEqual([list[0]]);
        expect(forwardedPortsIn({ port: list[0], ports: list })).toEqual(list);
        expect(forwardedPortsIn({ ports: list })).toEqual(list);
      }),
    );
  });
});
