import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../support/service-process.js';

interface LockEntry {
  version: string;
  license?: string;
  integrity?: string;
  cpu?: string[];
}

/** Without the checks that need a registry or containers: .ci/stack.sh checks the images that it builds. */
const QUICK = 'versions,licenses,lock,arm64';

function releaseCheck(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/release-check.mjs'), ...args], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

it('the files of this checkout pass the release check', () => {
  const { status, output } = releaseCheck('--only', QUICK);
  expect(output).not.toMatch(/WRONG/);
  expect(output.match(/^good/gm)).toHaveLength(4);
  expect(status).toBe(0);
});

describe('the release check reports', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'release-'));
    for (const name of ['package.json', 'package-lock.json', 'Dockerfile', 'CHANGELOG.md']) cpSync(join(ROOT, name), join(root, name));
    for (const folder of ['apps', 'libs'])
      for (const name of readdirSync(join(ROOT, folder))) {
        mkdirSync(join(root, folder, name), { recursive: true });
        cpSync(join(ROOT, folder, name, 'package.json'), join(root, folder, name, 'package.json'));
      }
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const change = (file: string, from: string | RegExp, to: string): void => {
    const text = readFileSync(join(root, file), 'utf8');
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    writeFileSync(join(root, file), changed);
  };
  const withPackage = (entry: LockEntry): void => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockEntry> };
    // One check only, so that other checks cannot fail.
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ ...lock, packages: { 'node_modules/newcomer': entry } }));
  };
  const fine = { version: '1.0.0', license: 'MIT', integrity: 'sha512-x' };

  it.each<[string, RegExp, () => void]>([
    [
      'a workspace left behind',
      /versions: apps\/proxy\/package\.json has version 0\.0\.1/,
      () => change('apps/proxy/package.json', /"version": "[^"]+"/, '"version": "0.0.1"'),
    ],
    [
      'images labelled with another version',
      /versions: the Dockerfile labels its images 0\.0\.1/,
      () => change('Dockerfile', /^ARG VERSION=.*$/m, 'ARG VERSION=0.0.1'),
    ],
    [
      'a version that is not in the changelog',
      /versions: CHANGELOG\.md starts with 0\.0\.1/,
      () => change('CHANGELOG.md', /^## \S+/m, '## 0.0.1'),
    ],
    [
      'a license that cannot be shipped',
      /licenses: newcomer 1\.0\.0 is under GPL-3\.0-only/,
      () => withPackage({ ...fine, license: 'GPL-3.0-only' }),
    ],
    [
      'one of two licenses that must both be kept',
      /licenses: newcomer 1\.0\.0 is under MIT AND GPL-3\.0-only/,
      () => withPackage({ ...fine, license: 'MIT AND GPL-3.0-only' }),
    ],
    ['no license', /licenses: newcomer 1\.0\.0 names no license/, () => withPackage({ ...fine, license: undefined })],
    ['a package that is not pinned', /lock: newcomer 1\.0\.0 has no integrity/, () => withPackage({ ...fine, integrity: undefined })],
    ['a package for one processor only', /arm64: newcomer 1\.0\.0 is for x64 only/, () => withPackage({ ...fine, cpu: ['x64'] })],
    [
      'an image for one processor only',
      /arm64: the Dockerfile is limited/,
      () => change('Dockerfile', /^FROM \$\{NODE_IMAGE\} AS packages/m, 'FROM --platform=linux/amd64 ${NODE_IMAGE} AS packages'),
    ],
  ])('%s', (_what, says, spoil) => {
    spoil();
    const { status, output } = releaseCheck('--root', root, '--only', QUICK);
    expect(output).toMatch(says);
    expect(status).toBe(1);
  });

  it('one of two alternative licenses may be chosen', () => {
    withPackage({ ...fine, license: '(GPL-2.0-only OR MIT)' });
    expect(releaseCheck('--root', root, '--only', 'licenses').output).not.toContain('newcomer');
  });
});
