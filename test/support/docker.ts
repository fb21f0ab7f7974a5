import { execFileSync } from 'node:child_process';
import Docker from 'dockerode';

/** The image that `npm run image:simulator` builds. */
export const SIMULATOR_IMAGE = 'acestream-engine-simulator:latest';

export const docker = new Docker({ timeout: 30_000 });

/** Why the tests that need Docker cannot run here; null where they can. */
export const DOCKER_MISSING: string | null = await whyNot();
if (DOCKER_MISSING !== null) console.warn(`SKIPPED: ${DOCKER_MISSING}, so nothing here runs on a real Docker Engine`);

async function whyNot(): Promise<string | null> {
  try {
    await docker.ping();
  } catch (error) {
    return `no Docker Engine answers (${(error as Error).message})`;
  }
  try {
    await docker.getImage(SIMULATOR_IMAGE).inspect();
    return null;
  } catch {
    return `the image ${SIMULATOR_IMAGE} is missing (npm run image:simulator builds it)`;
  }
}

/** Names of all containers that bear `label`, running or not. */
export async function containersWith(label: string): Promise<string[]> {
  const found = await docker.listContainers({ all: true, filters: { label: [label] } });
  return found.map(({ Names }) => Names[0].slice(1));
}

export async function removeContainersWith(label: string): Promise<void> {
  const found = await docker.listContainers({ all: true, filters: { label: [label] } });
  // A few at a time: each takes a busy Docker a second, and a hundred at once longer than a call may.
  for (let at = 0; at < found.length; at += 8)
    await Promise.all(found.slice(at, at + 8).map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
}

/** An image like the simulator's, with other defaults: what a user of another engine image has. Built from what is here, without a registry. */
export function simulatorImageWith(tag: string, env: Record<string, string>): string {
  const lines = [`FROM ${SIMULATOR_IMAGE}`, ...Object.entries(env).map(([name, value]) => `ENV ${name}=${value}`)];
  execFileSync('docker', ['build', '-q', '-t', tag, '-'], { input: lines.join('\n') });
  return tag;
}
