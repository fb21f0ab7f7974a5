import { describe, expect, it } from 'vitest';
import type { EngineSpec } from '../engine-runtime.js';
import { type DockerPlacement, type ListedContainer, planContainer, SPEC_LABEL, toInstance, maxUptimeMs } from './docker-container.plan.js';

const spec: EngineSpec = {
  name: 'acestream-1',
  kind: 'acestream',
  env: { CONF: '--http-port=19000\n--bind-all', HTTP_PORT: '19000' },
  labels: { 'acestream-orchestrator': 'true' },
  ports: { http: 19000, https: 45000, api: 62062, p2p: 36000 },
};
const placement: DockerPlacement = {
  network: null,
  engineHost: null,
  remoteHost: null,
  memoryBytes: null,
  mapHttps: false,
  engineBind: '',
};

const NETWORKS = { hostOf: () => null, startedAt: () => null };

function listed(changes: Partial<ListedContainer> = {}): ListedContainer {
  const { Labels } = planContainer(spec, 'engine:latest', placement);
  return {
    Id: 'f00d',
    Names: ['/acestream-1'],
    Image: 'engine:latest',
    Created: 1_700_000_000,
    State: 'running',
    Status: 'Up 2 minutes',
    Labels,
    Ports: [],
    ...changes,
  };
}

describe('a container of an engine', () => {
  it('publishes its HTTP port under the same number, its P2P port for TCP and UDP, and restarts by itself', () => {
    const { HostConfig, ExposedPorts, Env } = planContainer(spec, 'engine:latest', placement);
    expect(HostConfig.PortBindings).toEqual({
      '19000/tcp': [{ HostIp: '', HostPort: '19000' }],
      '36000/tcp': [{ HostIp: '', HostPort: '36000' }],
      '36000/udp': [{ HostIp: '', HostPort: '36000' }],
    });
    expect(Object.keys(ExposedPorts)).toEqual(Object.keys(HostConfig.PortBindings));
    expect(HostConfig.RestartPolicy).toEqual({ Name: 'unless-stopped' });
    expect(Env).toEqual(['CONF=--http-port=19000\n--bind-all', 'HTTP_PORT=19000']);
  });

  it('publishes its HTTP and HTTPS port on the address of ENGINE_BIND, and its P2P port on all', () => {
    const { PortBindings } = planContainer(spec, 'engine:latest', { ...placement, mapHttps: true, engineBind: '127.0.0.1' }).HostConfig;
    const addresses = Object.entries(PortBindings).map(([port, [{ HostIp }]]) => [port, HostIp]);
    expect(Object.fromEntries(addresses)).toEqual({ '19000/tcp': '127.0.0.1', '45000/tcp': '127.0.0.1', '36000/tcp': '', '36000/udp': '' });
  });

  it('gets the network, memory limit and HTTPS port of the settings', () => {
    const { HostConfig } = planContainer(spec, 'engine:latest', { ...placement, network: 'ace', memoryBytes: 2 ** 29, mapHttps: true });
    expect(HostConfig).toMatchObject({ NetworkMode: 'ace', Memory: 2 ** 29 });
    expect(HostConfig.PortBindings['45000/tcp']).toEqual([{ HostIp: '', HostPort: '45000' }]);
  });

  it('behind a VPN shares the network of the VPN container and publishes no ports', () => {
    const behind = planContainer({ ...spec, joins: 'gluetun' }, 'engine:latest', { ...placement, network: 'ace', mapHttps: true });
    expect(behind.HostConfig).toMatchObject({ NetworkMode: 'container:gluetun', PortBindings: {} });
    expect(behind.ExposedPorts).toEqual({});
  });

  it('behind a VPN has the host of the VPN container and the id of the network owner', () => {
    const networks = { hostOf: (id: string) => (id === '7d0d' ? '172.18.0.3' : null), startedAt: () => 1_700_000_001_000 };
    const container = listed({ HostConfig: { NetworkMode: 'container:7d0d' } });
    expect(toInstance(container, placement, networks)).toMatchObject({
      host: '172.18.0.3',
      port: 19000,
      network: { ownerId: '7d0d', startedAt: 1_700_000_001_000 },
    });
    expect(toInstance(listed({ HostConfig: { NetworkMode: 'ace' } }), placement, networks)).not.toHaveProperty('network');
  });

  it('is read back from the list alone, with its ports and kind', () => {
    expect(toInstance(listed(), placement, NETWORKS)).toMatchObject({
      id: 'f00d',
      name: 'acestream-1',
      kind: 'acestream',
      state: 'running',
      host: '127.0.0.1',
      port: 19000,
      ports: spec.ports,
      createdAt: 1_700_000_000_000,
      exitCode: null,
    });
  });

  it.each([
    [{ network: 'ace' }, 'acestream-1'],
    [{ remoteHost: 'docker' }, 'docker'],
    [{ network: 'ace', remoteHost: 'docker' }, 'acestream-1'],
    [{ network: 'ace', engineHost: '10.1.2.3' }, '10.1.2.3'],
    [{}, '127.0.0.1'],
  ])('with %j has the host %s', (changes, host) => {
    expect(toInstance(listed(), { ...placement, ...changes }, NETWORKS)?.host).toBe(host);
  });

  it.each([
    ['exited', 'Exited (137) 5 seconds ago', 'exited', 137],
    ['dead', 'Dead', 'exited', null],
    ['restarting', 'Restarting (1) 2 seconds ago', 'created', null],
    ['paused', 'Up 2 minutes (Paused)', 'running', null],
  ])('that is %s (%s) counts as %s', (State, Status, state, exitCode) => {
    expect(toInstance(listed({ State, Status }), placement, NETWORKS)).toMatchObject({ state, exitCode });
  });

  it.each([
    ['Up Less than a second', 1000],
    ['Up 5 seconds', 6000],
    ['Up About a minute (healthy)', 120_000],
    ['Up 47 hours', 48 * 3_600_000],
    ['Up 3 weeks (unhealthy)', 4 * 604_800_000],
    ['Exited (0) 3 seconds ago', null],
  ])('%s: the uptime is at most %s ms', (status, ms) => {
    expect(maxUptimeMs(status)).toBe(ms);
  });

  it('lists its published ports in the format of Docker', () => {
    const Ports = [
      { IP: '0.0.0.0', PrivatePort: 19000, PublicPort: 19000, Type: 'tcp' },
      { IP: '::', PrivatePort: 19000, PublicPort: 19000, Type: 'tcp' },
      { PrivatePort: 6878, Type: 'tcp' },
    ];
    expect(toInstance(listed({ Ports }), placement, NETWORKS)?.published).toEqual({
      '19000/tcp': [
        { HostIp: '0.0.0.0', HostPort: '19000' },
        { HostIp: '::', HostPort: '19000' },
      ],
      '6878/tcp': null,
    });
  });

  it.each([{}, { [SPEC_LABEL]: 'acestream 1 2 3' }, { [SPEC_LABEL]: 'ghost 1 2 3 4' }])(
    'with the labels %j is not one of our engines',
    (Labels) => {
      expect(toInstance(listed({ Labels: Labels as Record<string, string> }), placement, NETWORKS)).toBeNull();
    },
  );
});
