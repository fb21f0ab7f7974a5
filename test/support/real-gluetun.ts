import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { docker, DOCKER_MISSING } from './docker.js';
import { ROOT } from './service-process.js';
import { until } from './until.js';

/** Where the recipe for a real Gluetun with a real tunnel is: beside this checkout, or where REAL_GLUETUN says. */
const RECIPE = process.env.REAL_GLUETUN ?? join(ROOT, '../shared/real-gluetun');
const IMAGES = ['qmcgaw/gluetun:v3.41.1', 'vpn-server:latest'];

/** What answers only through the tunnel; engines probe it (SIM_TUNNEL_PROBE). */
export const BEHIND_THE_TUNNEL = '10.2.0.1:80';

/** Why the tests that need a real Gluetun cannot run here; null where they can. */
export const GLUETUN_MISSING: string | null = DOCKER_MISSING ?? (await whyNot());
if (DOCKER_MISSING === null && GLUETUN_MISSING !== null)
  console.warn(`SKIPPED: ${GLUETUN_MISSING}, so nothing here runs behind a real VPN`);

async function whyNot(): Promise<string | null> {
  if (!existsSync(join(RECIPE, 'up'))) return `the recipe of a real Gluetun is not at ${RECIPE}`;
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

/** A real Gluetun and the far end of its tunnel, on a Docker network. */
export class RealGluetun {
  constructor(
    readonly name: string,
    readonly network: string,
  ) {}

  /** Starts both; resolves when the containers run, not when the tunnel is up. */
  start(...options: string[]): void {
    execFileSync(join(RECIPE, 'up'), [this.network, this.name, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  async restart(): Promise<void> {
    await docker.getContainer(this.name).restart({ t: 2 });
  }

  /** Gone, and with it the network of all engines in it. The far end goes, too: a new one has new keys. */
  async remove(): Promise<void> {
    for (const name of [this.name, `${this.name}-server`]) {
      try {
        await docker.getContainer(name).remove({ force: true, v: true });
      } catch (error) {
        if ((error as { statusCode?: number }).statusCode !== 404) throw error;
      }
    }
  }

  async removeNetwork(): Promise<void> {
    try {
      await docker.getNetwork(this.network).remove();
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
    }
  }

  /** The far end hears and says nothing any more. */
  async cut(): Promise<void> {
    await docker.getContainer(`${this.name}-server`).pause();
  }

  async mend(): Promise<void> {
    await docker.getContainer(`${this.name}-server`).unpause();
  }

  /** What the VPN forwards from now on. */
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

/** Inode of the network namespace that a container's process is in. */
export async function networkNamespace(container: string): Promise<string> {
  const { State } = await docker.getContainer(container).inspect();
  return execFileSync('readlink', [`/proc/${State.Pid}/ns/net`], { encoding: 'utf8' }).trim();
}
