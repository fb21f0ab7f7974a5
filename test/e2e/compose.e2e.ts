import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/service-process.js';

const GB = 1024 ** 3;

interface ComposeProject {
  services: Record<string, ComposeService>;
  networks: Record<string, { name: string }>;
  volumes?: Record<string, { name: string }>;
}

interface ComposeService {
  image: string;
  scale?: number;
  container_name?: string;
  restart?: string;
  read_only?: boolean;
  privileged?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  entrypoint?: string[];
  cpu_quota?: string | number;
  stop_grace_period?: string;
  sysctls?: Record<string, string>;
  networks: Record<string, unknown>;
  environment?: Record<string, string>;
  volumes?: { source: string; target: string; read_only?: boolean }[];
  ports?: { published: string; host_ip?: string }[];
  deploy?: { resources: { limits?: { memory?: string }; reservations?: { memory?: string } } };
}

/** Every documented way to start the project with compose, and its services. */
const VARIANTS: Record<string, string[]> = {
  'docker-compose.yml': ['acexy', 'docker', 'orchestrator'],
  'docker-compose.socket.yml': ['acexy', 'docker-proxy', 'orchestrator'],
  'docker-compose.gluetun.yml': ['acexy', 'docker-proxy', 'gluetun', 'orchestrator'],
  'docker-compose.two-proxies.yml': ['acexy', 'balancer', 'docker', 'orchestrator'],
  'docker-compose.yml docker-compose.monitoring.yml': ['acexy', 'docker', 'grafana', 'orchestrator', 'prometheus'],
  'docker-compose.socket.yml docker-compose.monitoring.yml': ['acexy', 'docker-proxy', 'grafana', 'orchestrator', 'prometheus'],
  'docker-compose.gluetun.yml docker-compose.monitoring.yml': ['acexy', 'docker-proxy', 'gluetun', 'grafana', 'orchestrator', 'prometheus'],
  'docker-compose.two-proxies.yml docker-compose.monitoring.yml': ['acexy', 'balancer', 'docker', 'grafana', 'orchestrator', 'prometheus'],
};
/** Project name in these tests. */
const PROJECT = 'tv';

/** Combinations of compose files in the commands of the documentation and of the compose files. */
function documentedCombinations(): string[] {
  const inRoot = readdirSync(ROOT).filter((name) => /^(docker-compose.*\.yml|.*\.md)$/.test(name));
  const inDocs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  const pages = [...inRoot, ...inDocs.map((name) => `docs/${name}`), 'docker/README.md', 'deploy/README.md'];
  const found = pages.flatMap((page) => {
    const text = readFileSync(join(ROOT, page), 'utf8');
    const options = [...text.matchAll(/docker[ -]compose((?: -f [\w.-]+)+)/g)].map(([, files]) => files.trim().split(/ ?-f /).slice(1));
    const variables = [...text.matchAll(/COMPOSE_FILE=([\w.:-]+\.yml)/g)].map(([, files]) => files.split(':'));
    return [...options, ...variables].map((files) => files.join(' '));
  });
  return [...new Set(found)].sort();
}

it('every compose file is part of a variant', () => {
  const files = readdirSync(ROOT).filter((name) => /^docker-compose.*\.yml$/.test(name));
  expect([...new Set(Object.keys(VARIANTS).flatMap((names) => names.split(' ')))].sort()).toEqual(files.sort());
});

it.each(documentedCombinations())('the documented combination %s is a tested variant', (files) => {
  expect(Object.keys(VARIANTS)).toContain(files);
});

const COMPOSE_1 = spawnSync('docker-compose', ['version', '--short'], { encoding: 'utf8' }).stdout?.startsWith('1.') ?? false;
if (!COMPOSE_1) console.warn('SKIPPED: Compose 1 (docker-compose) is not installed, so it reads no compose file');

describe('docker compose config', () => {
  if (spawnSync('docker', ['compose', 'version']).status !== 0) {
    console.warn('SKIPPED: docker compose is not installed (.ci/compose.sh builds it), so no compose file is read');
    it.skip('docker compose is not installed', () => undefined);
    return;
  }
  let folder: string;

  beforeAll(() => {
    // Like a user's folder: the env file of docs/vpn.md is beside the compose files.
    folder = mkdtempSync(join(tmpdir(), 'compose-'));
    for (const name of readdirSync(ROOT)) if (/^docker-compose.*\.yml$/.test(name)) cpSync(join(ROOT, name), join(folder, name));
    writeFileSync(join(folder, 'gluetun.env'), 'VPN_SERVICE_PROVIDER=custom\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  describe.each(Object.entries(VARIANTS))('%s', (files, expected) => {
    let project: ComposeProject;
    let services: Record<string, ComposeService>;
    const args = files.split(' ').flatMap((file) => ['-f', file]);
    const compose = (program: string[], more: string[]): { status: number | null; stdout: string; stderr: string } => {
      const env = { PATH: process.env.PATH, HOME: process.env.HOME };
      const [command, ...first] = program;
      const options = { cwd: folder, encoding: 'utf8', env, timeout: 60_000 } as const;
      const { status, stdout, stderr } = spawnSync(command, [...first, '-p', PROJECT, ...args, ...more], options);
      return { status, stdout, stderr };
    };

    beforeAll(() => {
      const { status, stdout, stderr } = compose(['docker', 'compose'], ['config', '--format', 'json']);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      project = JSON.parse(stdout) as ComposeProject;
      services = project.services;
    });

    it.skipIf(!COMPOSE_1)('is valid for Compose 1 too', () => {
      expect(compose(['docker-compose'], ['config', '-q'])).toEqual({ status: 0, stdout: '', stderr: '' });
    });

    it('has no name that another installation on this host has too, except the container that GLUETUN_CONTAINER_NAME names', () => {
      const names = [...Object.values(project.networks), ...Object.values(project.volumes ?? {})].map(({ name }) => name);
      expect(names.filter((name) => !name.startsWith(`${PROJECT}_`))).toEqual([]);
      const containers = Object.entries(services).flatMap(([name, { container_name }]) => (container_name ? [[name, container_name]] : []));
      expect(containers).toEqual(services.gluetun ? [['gluetun', 'gluetun']] : []);
    });

    it('has its services, each with an image version and a restart policy', () => {
      expect(Object.keys(services).sort()).toEqual(expected);
      for (const { image, restart } of Object.values(services)) {
        expect(image).toMatch(/^tv-(orchestrator|acexy|docker-filter)$|:v?\d/);
        expect(restart).toBe('unless-stopped');
      }
    });

    it('limits the resources of each service, for the orchestrator and Docker as in the troubleshooting guide', () => {
      const { limits, reservations } = services.orchestrator.deploy!.resources;
      expect([Number(limits?.memory), Number(reservations?.memory), Number(services.orchestrator.cpu_quota)]).toEqual([
        2 * GB,
        GB,
        200_000,
      ]);
      if (services.docker) {
        expect(Number(services.docker.deploy?.resources.limits?.memory)).toBe(4 * GB);
        expect(Number(services.docker.cpu_quota)).toBe(400_000);
      }
    });

    it('limits the memory of each proxy, also that of the kernel for viewers who take nothing', () => {
      for (const [name, { deploy, sysctls }] of Object.entries(services).filter(([name]) => name.startsWith('acexy'))) {
        expect([name, Number(deploy?.resources.limits?.memory)]).toEqual([name, 2 * GB]);
        expect(sysctls).toEqual({ 'net.ipv4.tcp_wmem': '4096 16384 1048576' });
      }
    });

    it('gives proxies time to drain their viewers and to stop their sessions', () => {
      const proxies = Object.entries(services).filter(([name]) => name.startsWith('acexy'));
      expect(proxies.map(([name, { stop_grace_period }]) => [name, stop_grace_period])).toEqual(proxies.map(([name]) => [name, '25s']));
    });

    it('runs our services with a read-only file system, without capabilities, and with the settings of the folder', () => {
      const ours = Object.entries(services).filter(([name]) => /^(orchestrator|acexy)/.test(name));
      for (const [, { read_only, cap_drop, volumes }] of ours) {
        expect({ read_only, cap_drop }).toEqual({ read_only: true, cap_drop: ['ALL'] });
        expect(volumes).toContainEqual(expect.objectContaining({ target: '/config', read_only: true }));
      }
    });

    it("mounts the host's Docker socket in one service only, which publishes no port and is in no network of the engines", () => {
      const near = Object.entries(services).filter(([, { volumes }]) => volumes?.some(({ source }) => source === '/var/run/docker.sock'));
      expect(near.map(([name]) => name)).toEqual(expected.includes('docker-proxy') ? ['docker-proxy'] : []);
      for (const [, { ports, networks }] of near) {
        expect(ports).toBeUndefined();
        expect(Object.keys(networks)).toEqual(['docker']);
      }
    });

    it.skipIf(!expected.includes('docker-proxy'))(
      'the filter has no other rights on the host than the socket, and the settings of the orchestrator that it judges by',
      () => {
        const { read_only, cap_drop, cap_add, entrypoint, environment, volumes } = services['docker-proxy'];
        expect({ read_only, cap_drop, cap_add }).toEqual({ read_only: true, cap_drop: ['ALL'], cap_add: ['SETGID', 'SETUID'] });
        expect(entrypoint?.at(-1)).toBe('docker-filter');
        expect(volumes).toContainEqual(expect.objectContaining({ target: '/config', read_only: true }));
        for (const name of ['ENV_FILE', 'DOCKER_NETWORK', 'GLUETUN_CONTAINER_NAME'])
          expect([name, environment?.[name]]).toEqual([name, services.orchestrator.environment?.[name]]);
      },
    );

    it('the proxies find the orchestrator, and monitoring finds the services', () => {
      for (const [name, { environment, networks }] of Object.entries(services).filter(([name]) => name.startsWith('acexy'))) {
        expect([name, environment?.ACEXY_ORCH_URL]).toEqual([name, 'http://orchestrator:8000']);
        expect(Object.keys(networks).some((network) => network in services.orchestrator.networks)).toBe(true);
      }
      if (!services.prometheus) return;
      const scraped = readFileSync(join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8');
      const names = [...scraped.matchAll(/(?:names: \[|targets: \[')([\w, -]+)/g)].flatMap(([, list]) => list.split(', '));
      const ours = Object.entries(services).filter(([name]) => /^(orchestrator|acexy)/.test(name));
      for (const [name, { networks }] of ours) {
        expect(names).toContain(name);
        expect(Object.keys(networks)).toContain('monitoring');
      }
      expect(Object.keys(services.prometheus.networks)).toEqual(['monitoring']);
      const others = Object.entries(services).filter(
        ([name, { networks }]) => !/^(orchestrator|acexy|grafana|prometheus)/.test(name) && 'monitoring' in networks,
      );
      expect(others).toEqual([]);
      expect(services.grafana.ports?.concat(services.prometheus.ports ?? []).map(({ host_ip }) => host_ip)).toEqual([
        '127.0.0.1',
        '127.0.0.1',
      ]);
    });
  });

  it('Gluetun logs no requests of the orchestrator, and has the image and the role file that .env names', () => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    const gluetunWith = (settings: Record<string, string>): ComposeService => {
      const args = ['compose', '-f', 'docker-compose.gluetun.yml', 'config', '--format', 'json'];
      const { stdout } = spawnSync('docker', args, { cwd: folder, encoding: 'utf8', env: { ...env, ...settings } });
      return (JSON.parse(stdout) as ComposeProject).services.gluetun;
    };
    const rolesOf = ({ volumes }: ComposeService): string | undefined =>
      volumes?.find(({ target }) => target === '/gluetun/auth/config.toml')?.source;
    expect(gluetunWith({}).environment?.HTTP_CONTROL_SERVER_LOG).toBe('off');
    expect(rolesOf(gluetunWith({}))).toBe(join(folder, 'docker/gluetun/auth-config.toml'));
    const older = gluetunWith({ GLUETUN_IMAGE: 'qmcgaw/gluetun:v3.40.3', GLUETUN_AUTH_CONFIG: 'auth-config.v3.40.toml' });
    expect([older.image, rolesOf(older)]).toEqual(['qmcgaw/gluetun:v3.40.3', join(folder, 'docker/gluetun/auth-config.v3.40.toml')]);
  });

  describe('the file for several proxies', () => {
    const acexyOf = (file: string, settings: Record<string, string> = {}): ComposeService => {
      const options = { cwd: folder, encoding: 'utf8', env: { PATH: process.env.PATH, HOME: process.env.HOME, ...settings } } as const;
      const { stdout } = spawnSync('docker', ['compose', '-f', file, 'config', '--format', 'json'], options);
      return (JSON.parse(stdout) as ComposeProject).services.acexy;
    };

    it('starts two, or as many as ACEXY_REPLICAS says, which publish no port and have no fixed name', () => {
      const file = 'docker-compose.two-proxies.yml';
      expect([acexyOf(file).scale, acexyOf(file, { ACEXY_REPLICAS: '5' }).scale]).toEqual([2, 5]);
      expect(acexyOf(file)).not.toHaveProperty('ports');
      expect(acexyOf(file)).not.toHaveProperty('container_name');
    });

    it('uses the volume of the one proxy that they replace', () => {
      const sourceOf = (file: string): string | undefined => acexyOf(file).volumes?.find(({ target }) => target === '/data')?.source;
      expect(sourceOf('docker-compose.two-proxies.yml')).toBe(sourceOf('docker-compose.yml'));
    });
  });
});
