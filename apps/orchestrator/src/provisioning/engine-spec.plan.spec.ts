import { describe, expect, it } from 'vitest';
import { type EngineRequest, EngineRequestError, type EngineSpecContext, planEngineSpec, requestedPorts } from './engine-spec.plan.js';
import { parseManagementLabel } from '../runtime/engine-labels.js';

const CONTEXT: EngineSpecContext = {
  name: 'acestream-1a2b3c4d',
  ports: { http: 19000, https: 45000, api: 35000, p2p: 36000 },
  blueprint: 'abc',
  containerLabel: 'orchestrator.managed=acestream',
  installationId: 'b1b2',
  httpsOnHost: true,
  cacheLimitGb: 1,
  vpnSlot: null,
};

function plan(request: EngineRequest = {}, context: Partial<EngineSpecContext> = {}) {
  return planEngineSpec(request, { ...CONTEXT, ...context });
}

describe('the engine spec', () => {
  it('sets the environment that the usual images read', () => {
    expect(plan().env).toEqual({
      CONF: '--http-port=19000\n--https-port=45000\n--bind-all',
      HTTP_PORT: '19000',
      HTTPS_PORT: '45000',
      BIND_ALL: 'true',
      INTERNAL_BUFFERING: '60',
      CACHE_LIMIT: '1',
      P2P_PORT: '36000',
    });
  });

  it('sets the labels that a restarted orchestrator and the documented filters use', () => {
    expect(plan({ labels: { tier: 'gold' } }).labels).toEqual({
      tier: 'gold',
      'orchestrator.managed': 'acestream',
      'acestream-orchestrator': 'true',
      'acestream-orchestrator.blueprint': 'abc',
      'acestream-orchestrator.installation': 'b1b2',
      'acestream.http_port': '19000',
      'acestream.https_port': '45000',
      'host.http_port': '19000',
      'host.https_port': '45000',
    });
  });

  it('has no label for an HTTPS port that is not published', () => {
    const { labels } = plan({}, { httpsOnHost: false });
    expect(labels).not.toHaveProperty('host.https_port');
  });

  it('keeps the caller’s values, except published ports and labels needed for adoption', () => {
    const { env, labels } = plan({
      env: { CACHE_LIMIT: '2', BIND_ALL: 'false', HTTP_PORT: '1' },
      labels: { 'acestream.http_port': '1', 'orchestrator.managed': 'mine' },
    });
    expect(env).toMatchObject({ CACHE_LIMIT: '2', BIND_ALL: 'false', HTTP_PORT: '19000' });
    expect(labels).toMatchObject({ 'acestream.http_port': '19000', 'orchestrator.managed': 'acestream' });
  });

  it('reads the ports from the caller’s CONF in every notation', () => {
    const conf = '--http-port 7000 --bind-all\n--https-port=7001';
    expect(requestedPorts({ env: { CONF: conf } })).toEqual({ http: 7000, https: 7001 });
    const spec = plan({ env: { CONF: conf } }, { ports: { ...CONTEXT.ports, http: 7000, https: 7001 } });
    expect(spec.env).toMatchObject({ CONF: conf, HTTP_PORT: '7000', HTTPS_PORT: '7001' });
  });

  it('adds the ports that the caller’s CONF leaves out', () => {
    expect(requestedPorts({ env: { CONF: '--bind-all' } })).toEqual({});
    expect(plan({ env: { CONF: '--bind-all --http-port=7000' } }).env.CONF).toBe('--https-port=45000\n--bind-all --http-port=7000');
  });

  it('uses the last of two values, as an engine does', () => {
    expect(requestedPorts({ env: { CONF: '--http-port=1\n--http-port=2' } })).toEqual({ http: 2 });
  });

  it.each(['0', '65536', 'abc', '80x'])('refuses --http-port=%s in CONF', (port) => {
    expect(() => requestedPorts({ env: { CONF: `--http-port=${port}` } })).toThrow(EngineRequestError);
  });

  it('requests the caller’s host port, and fails when CONF names another one', () => {
    expect(requestedPorts({ hostPort: 19005 })).toEqual({ http: 19005 });
    expect(requestedPorts({ hostPort: 7000, env: { CONF: '--http-port=7000' } })).toEqual({ http: 7000 });
    expect(() => requestedPorts({ hostPort: 19005, env: { CONF: '--http-port=7000' } })).toThrow('host_port 19005 and --http-port=7000');
  });

  it('behind a VPN joins the network of the VPN container, with four ports of its own', () => {
    const spec = plan({}, { vpnSlot: { vpn: 'gluetun', labels: { 'acestream-orchestrator.vpn': 'gluetun' } } });
    expect(spec).toMatchObject({ joins: 'gluetun', labels: { 'acestream-orchestrator.vpn': 'gluetun' } });
    expect(spec.env.CONF.split('\n')).toEqual([
      '--http-port=19000',
      '--https-port=45000',
      '--api-port=35000',
      '--port=36000',
      '--bind-all',
    ]);
    expect(plan()).not.toHaveProperty('joins');
  });

  it('has an image only when the caller names one', () => {
    expect(plan({ image: 'example/engine:1' }).image).toBe('example/engine:1');
    expect(plan()).not.toHaveProperty('image');
  });
});

describe('CONTAINER_LABEL', () => {
  it('is key=value; a key alone has an empty value', () => {
    expect(parseManagementLabel('orchestrator.managed=acestream')).toEqual({ key: 'orchestrator.managed', value: 'acestream' });
    expect(parseManagementLabel('mine')).toEqual({ key: 'mine', value: '' });
    expect(parseManagementLabel('a=b=c')).toEqual({ key: 'a', value: 'b=c' });
  });

  it('requires a key', () => {
    expect(() => parseManagementLabel('=acestream')).toThrow(RangeError);
  });
});
