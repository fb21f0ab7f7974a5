import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './support/service-process.js';

it('npm start and the images run the services with the same options of Node', () => {
  const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
  const flags = /NODE_FLAGS = \[(.*)\]/.exec(read('scripts/supervisor.mjs'))?.[1].split(', ') ?? [];
  const entryPoints = read('Dockerfile').match(/^ENTRYPOINT .*$/gm) ?? [];
  expect([flags.length, entryPoints.length]).toEqual([2, 2]);
  for (const entryPoint of entryPoints) for (const flag of flags) expect(entryPoint).toContain(flag.replaceAll("'", '"'));
});
