import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { docker, DOCKER_MISSING } from './docker.js';
import { ROOT } from './service-process.js';
import { until } from './until.js';

/** Folder with the scripts for a real Gluetun and a real tunnel: beside this checkout, or REAL_GLUETUN. */
const SCRIPTS = process.env.REAL_GLUETUN ?? join(ROOT, '../shared/real-gluetun');
const IMAGES = ['qmcgaw/gluetun:v3.41.1', 'vpn-server:latest'];

/** Address that is only reachable through the tunnel. Engines probe it (SIM_TUNNEL_PROBE). */
export const BEHIND_THE_TUNNEL = '10.2.0.1:80';

/** Why tests that need a real Gluetun cannot run on this machine; null if they can. */
export const GLUETUN_MISSING: string | null = DOCKER_MISSING ?? (await missingPart());
if (DOCKER_MISSING === null && GLUETUN_MISSING !== null)
  console.warn(`SKIPPED: ${GLUETUN_MISSING}, so tests behind a real VPN are skipped`);

async function missingPart(): Promise<string | null> {
  if (!existsSync(join(SCRIPTS, 'up'))) return `the scripts for a real Gluetun are not at ${SCRIPTS}`;
  if (!existsSync('/dev/net/tun')) return 'this machine has no /dev/net/tun';
  try {
    execFileSync('wg', ['--version'], { stdio: 'ignore' });
  } catch {
    return '`wg` is missing (the package wireguard-tools)';
  }
  for (const image of IMAGES) {
    try {
      await docker.getImage(image).inspect();
    } catch {
      return `the image ${image} is missing (.ci/gluetun.sh builds it)`;
    }
  }
  return null;
}

/** A real Gluetun and the VPN server of its tunnel, on a Docker network. */
export class RealGluetun {
  constructor(
    readonly name: string,
    readonly network: string,
  ) {}

  /** Starts both. The containers run afterwards; the tunnel may not be up yet. */
  start(...options: string[]): void {
    execFileSync(join(SCRIPTS, 'up'), [this.network, this.name, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  async restart(): Promise<void> {
    await docker.getContainer(this.name).restart({ t: 2 });
  }

  /** Removes both. The engines lose their network. The VPN server is removed too, because a new one has new keys. */
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
