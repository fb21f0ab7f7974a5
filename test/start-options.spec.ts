import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './support/service-process.js';

it('npm start and the images run the services with the same options of Node', () => {
  const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
  const flags = /NODE_FLAGS = \[(.*)\]/.exec(read('scripts/supervisor.mjs'))?.[1].split(', ') ?? [];
  const entryPoints = read('Dockerfile').match(/^ENTRYPOINT .*$/gm) ?? [];
  expect([flags.length, entryPoints.length]).toEqual([1, 2]);
  for (const entryPoint of entryPoints) for (const flag of flags) expect(entryPoint).toContain(flag.replaceAll("'", '"'));
});

it('no service reads the source maps of all its modules at start: they cost the orchestrator 12 MB', () => {
  for (const file of ['scripts/supervisor.mjs', 'Dockerfile', 'docker-compose.socket.yml', 'docker-compose.gluetun.yml'])
    expect(readFileSync(join(ROOT, file), 'utf8')).not.toContain('--enable-source-maps');
});
