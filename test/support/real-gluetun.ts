import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { docker, DOCKER_MISSING } from './docker.js';
import { until } from './until.js';

/** Another version of the image, or the replacement that .ci/gluetun.sh builds. */
const GLUETUN = process.env.GLUETUN_IMAGE ?? 'qmcgaw/gluetun:v3.41.1';
const VPN_SERVER = 'acestream-test/vpn-server:latest';
const SERVER_PORT = 51_820;

/** Address that is only reachable through the tunnel. Engines probe it (SIM_TUNNEL_PROBE). */
export const BEHIND_THE_TUNNEL = '10.2.0.1:80';

/** Why tests that need a real Gluetun cannot run on this machine; null if they can. */
export const GLUETUN_MISSING: string | null = DOCKER_MISSING ?? (await missingPart());
if (DOCKER_MISSING === null && GLUETUN_MISSING !== null)
  console.warn(`SKIPPED: ${GLUETUN_MISSING}, so tests behind a real VPN are skipped`);

async function missingPart(): Promise<string | null> {
  if (!existsSync('/dev/net/tun')) return 'this machine has no /dev/net/tun';
  try {
    execFileSync('wg', ['--version'], { stdio: 'ignore' });
  } catch {
    return '`wg` is missing (the package wireguard-tools)';
  }
  for (const [image, how] of [
    [GLUETUN, '.ci/gluetun.sh pulls it where a registry is reachable'],
    [VPN_SERVER, '.ci/gluetun.sh builds it'],
  ]) {
    try {
      await docker.getImage(image).inspect();
    } catch {
      return `the image ${image} is missing (${how})`;
    }
  }
  return null;
}

/** A real Gluetun and the VPN server of its tunnel (test/images/vpn-server), on a Docker network. */
export class RealGluetun {
  /** The keys of the tunnel; the server of a recreated Gluetun has the same. */
  private keys: { server: string; client: string } | undefined;

  constructor(
    readonly name: string,
    readonly network: string,
  ) {}

  /** Starts both. The containers run afterwards; the tunnel may not be up yet. */
  start(...options: string[]): void {
    const { name, network } = this;
    const keys = (this.keys ??= { server: wg('genkey'), client: wg('genkey') });
    if (run('network', 'ls', '-q', '--filter', `name=^${network}$`) === '') run('network', 'create', network);
    const inTunnel = ['-d', '--network', network, '--cap-add', 'NET_ADMIN', '--device', '/dev/net/tun:/dev/net/tun'];
    const server = `${name}-server`;
    run(
      'run',
      ...inTunnel,
      '--name',
      server,
      '-e',
      `SERVER_KEY=${keys.server}`,
      '-e',
      `CLIENT_PUB=${wg('pubkey', keys.client)}`,
      VPN_SERVER,
    );
    const serverIp = run('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, server);
    const settings = {
      VPN_SERVICE_PROVIDER: 'custom',
      VPN_TYPE: 'wireguard',
      WIREGUARD_IMPLEMENTATION: 'userspace',
      WIREGUARD_ENDPOINT_IP: serverIp,
      WIREGUARD_ENDPOINT_PORT: String(SERVER_PORT),
      WIREGUARD_PUBLIC_KEY: wg('pubkey', keys.server),
      WIREGUARD_PRIVATE_KEY: keys.client,
      WIREGUARD_ADDRESSES: '10.2.0.2/32',
      VPN_PORT_FORWARDING: 'on',
      VPN_PORT_FORWARDING_PROVIDER: 'protonvpn',
      PUBLICIP_ENABLED: 'off',
      VERSION_INFORMATION: 'off',
      DNS_SERVER: 'off',
      HEALTH_ICMP_TARGET_IPS: '10.2.0.1',
      HEALTH_TARGET_ADDRESSES: `${BEHIND_THE_TUNNEL},${BEHIND_THE_TUNNEL}`,
      HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: '{"auth":"none"}',
    };
    const environment = Object.entries(settings).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
    run('run', ...inTunnel, '--name', name, ...environment, ...options, GLUETUN);
  }

  async restart(): Promise<void> {
    await docker.getContainer(this.name).restart({ t: 2 });
  }

  /** Removes both. The engines lose their network. */
  async remove(): Promise<void> {
    for (const name of [this.name, `${this.name}-server`]) {
      await ignoringNotFound(docker.getContainer(name).remove({ force: true, v: true }));
    }
  }

  async removeNetwork(): Promise<void> {
    await ignoringNotFound(docker.getNetwork(this.network).remove());
  }

  /** Pauses the VPN server, so that the tunnel carries no packets. */
  async cut(): Promise<void> {
    await docker.getContainer(`${this.name}-server`).pause();
  }

  async repair(): Promise<void> {
    await docker.getContainer(`${this.name}-server`).unpause();
  }

  /** Changes the forwarded port. */
  forward(port: number): void {
    execFileSync('docker', ['exec', `${this.name}-server`, 'sh', '-c', `echo ${port} > /run/forwarded-port`]);
  }

  async untilHealthy(limitMs = 60_000): Promise<void> {
    await until(
      `${this.name} healthy`,
      async () => (await docker.getContainer(this.name).inspect()).State.Health?.Status === 'healthy',
      limitMs,
    );
  }
}

async function ignoringNotFound(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== 404) throw error;
  }
}

/** Inode of a container's network namespace. */
export async function networkNamespace(container: string): Promise<string> {
  const { State } = await docker.getContainer(container).inspect();
  return execFileSync('readlink', [`/proc/${State.Pid}/ns/net`], { encoding: 'utf8' }).trim();
}

function run(...args: string[]): string {
  return execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function wg(command: 'genkey' | 'pubkey', input = ''): string {
  return execFileSync('wg', [command], { encoding: 'utf8', input }).trim();
}
