import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';

/** The image that `npm run image:simulator` builds. */
export const SIMULATOR_IMAGE = 'acestream-engine-simulator:latest';

export const docker = new Docker({ timeout: 30_000 });

/** Why tests that need Docker cannot run on this machine; null if they can. */
export const DOCKER_MISSING: string | null = await missingPart();
if (DOCKER_MISSING !== null) console.warn(`SKIPPED: ${DOCKER_MISSING}, so tests on a real Docker Engine are skipped`);

async function missingPart(): Promise<string | null> {
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

/** Names of all containers with these labels, running or not. */
export async function containersWith(...label: string[]): Promise<string[]> {
  const found = await docker.listContainers({ all: true, filters: { label } });
  return found.map(({ Names }) => Names[0].slice(1));
}

export async function removeContainersWith(label: string): Promise<void> {
  const found = await docker.listContainers({ all: true, filters: { label: [label] } });
  // A few at a time: a busy Docker needs a second for each, so a hundred at once would exceed the timeout of a call.
  for (let at = 0; at < found.length; at += 8)
    await Promise.all(found.slice(at, at + 8).map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
}

/**
 * Builds a variant of the simulator's image with other defaults. It needs no registry.
 * @param files by their path in the image
 */
export function simulatorImageWith(
  tag: string,
  env: Record<string, string>,
  { files = {}, healthCheck = true }: { files?: Record<string, Buffer>; healthCheck?: boolean } = {},
): string {
  const folder = mkdtempSync(join(tmpdir(), 'simulator-image-'));
  const lines = [`FROM ${SIMULATOR_IMAGE}`, ...Object.entries(env).map(([name, value]) => `ENV ${name}=${value}`)];
  for (const [index, [path, bytes]] of Object.entries(files).entries()) {
    writeFileSync(join(folder, String(index)), bytes);
    lines.push(`COPY ${index} ${path}`);
  }
  if (!healthCheck) lines.push('HEALTHCHECK NONE');
  writeFileSync(join(folder, 'Dockerfile'), lines.join('\n'));
  execFileSync('docker', ['build', '-q', '-t', tag, folder]);
  rmSync(folder, { recursive: true });
  return tag;
}
