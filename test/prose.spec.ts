import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from './support/service-process.js';

const LIMIT_MS = 60_000;

let folder: string;

beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'prose-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function textlint(files: string[]): { status: number | null; output: string } {
  const args = [join(ROOT, 'node_modules/textlint/bin/textlint.js'), '--rulesdir', 'scripts/textlint-rules', '--no-color', ...files];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

it(
  'README, docs and setting descriptions pass the prose linter',
  () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const pages = scripts['lint:prose'].split(' ').slice(3);
    expect(pages).toContain('README.md');
    expect(textlint(pages.map((page) => page.replaceAll('"', '')))).toEqual({ status: 0, output: '' });
  },
  LIMIT_MS,
);

// textlint silently checks nothing when its configuration cannot be loaded, so each rule must be seen to fail.
it.each([
  ['a banned phrase', 'Whoever comes gets a stream.', 'banned-phrases'],
  ['a banned phrase in a table', '| A | B |\n| - | - |\n| a | an engine that is to be had |', 'banned-phrases'],
  ['a long sentence', `The proxy ${'and the orchestrator '.repeat(10)}stop.`, 'sentence-length'],
  ['a long sentence in a table', `| A | B |\n| - | - |\n| a | the proxy ${'and the orchestrator '.repeat(15)}stop |`, 'cell-length'],
  ['a misspelled name', 'Write it in Typescript.', 'terminology'],
])(
  'the prose linter rejects %s',
  (_, text, rule) => {
    const page = join(folder, 'page.md');
    writeFileSync(page, `${text}\n`);
    const { status, output } = textlint([page]);
    expect({ status, output }).toMatchObject({ status: 1, output: expect.stringContaining(rule) as string });
  },
  LIMIT_MS,
);
