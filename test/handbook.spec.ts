/** The handbook's settings and commands that can be tested without a stack. Its other commands run in test/e2e/seed-guide.e2e.ts. */
import 'reflect-metadata';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse as parseDotenv } from 'dotenv';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../apps/orchestrator/src/database/open-database.js';
import { ROOT } from './support/service-process.js';

const handbook = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');

/** Cells of the table whose first heading starts with `first`. */
function table(page: string, first: string): string[][] {
  const rows = page.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const start = rows.findIndex(([cell]) => cell?.startsWith(first));
  const end = rows.findIndex((cells, index) => index > start && cells.length === 0);
  return [rows[start], ...rows.slice(start + 2, end)];
}

describe('the profiles', () => {
  const profiles = readdirSync(join(ROOT, 'deploy/profiles'));

  it.each(profiles)('%s sets how many engines there are at least and at most', (name) => {
    const { MIN_REPLICAS: min, MAX_REPLICAS: max } = parseDotenv(readFileSync(join(ROOT, 'deploy/profiles', name)));
    expect(Number(max)).toBeGreaterThan(Number(min));
  });

  it('have the values of the load levels in the handbook, MAX_REPLICAS included', () => {
    const [heading, ...rows] = table(handbook, 'Load');
    const names = heading.slice(1, -1).map((cell) => cell.replaceAll('`', ''));
    expect(names).toContain('MAX_REPLICAS');
    expect(rows).toHaveLength(4);
    for (const row of rows) {
      const file = parseDotenv(readFileSync(join(ROOT, 'deploy/profiles', row.at(-1)!.replaceAll('`', ''))));
      expect(row.slice(1, -1).map(Number)).toEqual(names.map((name) => Number(file[name])));
    }
  });

  it('have the numbers of engines that the page about profiles shows', () => {
    const rows = table(readFileSync(join(ROOT, 'deploy/README.md'), 'utf8'), 'File').slice(1);
    expect(rows.map(([file]) => file.replaceAll('`', '')).sort()).toEqual(profiles.sort());
    for (const [file, , free, most] of rows) {
      const { MIN_REPLICAS: min, MAX_REPLICAS: max } = parseDotenv(readFileSync(join(ROOT, 'deploy/profiles', file.replaceAll('`', ''))));
      expect([file, free, most]).toEqual([file, min, max]);
    }
  });
});

describe('the handbook', () => {
  it("has an index by the viewer's symptom, in front of the symptoms of the services", () => {
    const [heading, ...rows] = table(handbook, 'The viewer');
    const symptoms = rows.map(([symptom]) => symptom).join('\n');
    for (const symptom of ['channel does not start', 'buffers', '503', 'no peers', 'list of channels', 'browser', 'changes the channel'])
      expect(symptoms).toContain(symptom);
    // test/links.spec.ts tests that the sections exist.
    for (const row of rows) expect(row).toEqual([expect.any(String), expect.stringMatching(/\]\((#|\w+\.md)/)]);
    expect(handbook.indexOf(heading[0])).toBeLessThan(handbook.indexOf('| You see'));
    expect(handbook.indexOf('## What the viewer sees')).toBeLessThan(handbook.indexOf('## 1. '));
  });
});

const SQLITE_MISSING = spawnSync('sqlite3', ['--version']).status !== 0;
if (SQLITE_MISSING) console.warn('SKIPPED: there is no sqlite3, so the sqlite3 commands of the docs are not run');

/** The program, its database and its SQL. */
const COMMAND = /\bsqlite3 (?:"[^"\n]*"|'[^'\n]*'|\S*orchestrator\S*) (?:"[^"\n]*"|'[^'\n]*'|\w+)/g;

describe.skipIf(SQLITE_MISSING)('a sqlite3 command of the docs', () => {
  const pages = ['docs', 'docker', 'deploy', '.'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).flatMap((name) => (/\.(md|sh)$|^Dockerfile$/.test(name) ? [join(folder, name)] : [])),
  );
  const commands = [...pages, '.ci/stack.sh'].flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(COMMAND)].map(([command]): [string, string] => [page, command]),
  );
  let folder: string;

  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'handbook-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs it where the database of the container and of `npm start` is `orchestrator.db`. */
  function run(command: string): { status: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', command.replaceAll('/data/', '')], { cwd: folder, encoding: 'utf8' });
    return { status, output: stdout + stderr };
  }

  it('is found', () => expect(commands.length).toBeGreaterThan(5));

  it.each(commands)('in %s fails where there is no database, and creates none: %s', (_page, command) => {
    expect(run(command)).toMatchObject({ status: 1, output: expect.stringMatching(/unable to open/) as string });
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(commands)('in %s works on the database of a service that runs: %s', async (_page, command) => {
    const service = await openDatabase(join(folder, 'orchestrator.db'));
    try {
      copyFileSync(join(folder, 'orchestrator.db'), join(folder, run('echo -n orchestrator-$(date +%Y%m%d).db').output));
      const before = readdirSync(folder).filter((name) => name.endsWith('.db'));
      const { status, output } = run(command);
      expect([status, output]).toEqual([0, command.includes('integrity_check') ? 'ok\n' : expect.not.stringContaining('rror')]);
      const made = readdirSync(folder).filter((name) => name.endsWith('.db') && !before.includes(name));
      expect(made).toEqual(command.includes('VACUUM INTO') ? ['backup.db'] : []);
    } finally {
      await service.destroy();
    }
  });
});
