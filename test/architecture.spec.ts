import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { ROOT } from './support/service-process.js';

type Row = [name: string, idea: string, mayImport: string[]];
const table = createRequire(import.meta.url)('../scripts/import-table.cjs') as {
  orchestrator: Row[];
  proxy: Row[];
  workspaces: Row[];
  withTables(page: string): string;
};

const file = join(ROOT, 'docs/architecture.md');
const page = readFileSync(file, 'utf8');
const foldersIn = (path: string): string[] =>
  readdirSync(join(ROOT, path)).filter((name) => statSync(join(ROOT, path, name)).isDirectory());
const names = (rows: Row[]): string[] => rows.map(([name]) => name).sort();

describe('docs/architecture.md', () => {
  it('shows the import table (npm run docs:architecture writes it)', async () => {
    expect(page).toBe(await format(table.withTables(page), { ...(await resolveConfig(file)), filepath: file }));
  });

  it('names files and folders that exist', () => {
    const [, rows] = page.split('## Which files to touch');
    const paths = [...rows.split('\n## ')[0].matchAll(/`([a-z][\w.-]*(?:\/[\w.-]+)+)`/g)].map(([, path]) => path);
    const missing = paths.filter((path) => !existsSync(join(ROOT, path)) && !existsSync(join(ROOT, 'apps/orchestrator/src', path)));
    expect({ some: paths.length > 10, missing }).toEqual({ some: true, missing: [] });
  });
});

describe('the import table', () => {
  it.each(['orchestrator', 'proxy'] as const)('has a row for each folder of %s, and no other', (service) => {
    expect(names(table[service])).toEqual(foldersIn(`apps/${service}/src`).sort());
  });

  it.each(['orchestrator', 'proxy'] as const)('of %s allows only imports of rows below', (service) => {
    const folders = table[service].map(([name]) => name);
    const upwards = table[service].flatMap(([name, , mayImport], at) =>
      mayImport.filter((target) => folders.slice(0, at).includes(target)).map((target) => `${name} → ${target}`),
    );
    expect(upwards).toEqual([]);
  });

  it('has a row for each other app and each library', () => {
    const apps = foldersIn('apps').filter((name) => !['orchestrator', 'proxy'].includes(name));
    expect(names(table.workspaces)).toEqual(
      [...apps.map((name) => `apps/${name}`), ...foldersIn('libs').map((name) => `libs/${name}`)].sort(),
    );
  });
});
