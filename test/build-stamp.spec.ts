import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from './support/service-process.js';

interface BuildStamp {
  isBuilt(root: string): boolean;
  stampBuild(root: string, beganAt: number): void;
}
const { isBuilt, stampBuild } = (await import(pathToFileURL(join(ROOT, 'scripts/build-stamp.mjs')).href)) as BuildStamp;

const BUILT_AT = Date.UTC(2026, 0, 1);
const EARLIER = BUILT_AT / 1000 - 60;
const FILES = [
  ...['tsconfig.json', 'tsconfig.base.json', 'package-lock.json'],
  ...['tsconfig.json', 'package.json', 'src/app/main.ts', 'src/app/old.ts'].map((name) => `apps/service/${name}`),
];

describe('npm start skips the compiler', () => {
  let root: string;
  const inRoot = (path: string): string => join(root, path);

  function write(path: string): void {
    mkdirSync(dirname(inRoot(path)), { recursive: true });
    writeFileSync(inRoot(path), '');
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'build-'));
    for (const file of [...FILES, 'apps/service/dist/.tsbuildinfo', 'libs/README.md']) write(file);
    for (const path of [...FILES, 'apps/service/src', 'apps/service/src/app']) utimesSync(inRoot(path), EARLIER, EARLIER);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('when nothing changed since the last build', () => {
    stampBuild(root, BUILT_AT);
    expect(isBuilt(root)).toBe(true);
  });

  it('not before the first build', () => {
    expect(isBuilt(root)).toBe(false);
  });

  it.each(FILES)('not after a change of %s, also during the build', (file) => {
    stampBuild(root, BUILT_AT);
    utimesSync(inRoot(file), BUILT_AT / 1000, BUILT_AT / 1000);
    expect(isBuilt(root)).toBe(false);
  });

  it.each([
    ['a source was added', () => write('apps/service/src/app/new.ts')],
    ['a source was removed', () => rmSync(inRoot('apps/service/src/app/old.ts'))],
    ['a workspace was added', () => ['tsconfig.json', 'package.json', 'src/index.ts'].forEach((name) => write(`libs/new/${name}`))],
    ['the compiled files were removed', () => rmSync(inRoot('apps/service/dist'), { recursive: true })],
  ])('not when %s', (_what, change) => {
    stampBuild(root, BUILT_AT);
    change();
    expect(isBuilt(root)).toBe(false);
  });
});
