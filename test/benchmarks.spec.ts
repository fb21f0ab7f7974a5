import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './support/service-process.js';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

it('docs/benchmarks.md shows the stored results (npm run docs:benchmarks writes it)', () => {
  const { stderr, status } = spawnSync(process.execPath, [join(ROOT, 'scripts/benchmarks.mjs'), '--check'], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});

it('every stored result and every benchmark is in the table', () => {
  const list = read('bench/support/table.mjs');
  const results = readdirSync(join(ROOT, 'bench/results')).map((name) => name.replace(/\.json$/, ''));
  const benchmarks = readdirSync(join(ROOT, 'bench')).filter((name) => name.endsWith('.mjs') && name !== 'run-all.mjs');
  expect([...results, ...benchmarks].filter((name) => !list.includes(`'${name}'`))).toEqual([]);
});
