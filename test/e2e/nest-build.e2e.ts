import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** One build takes 15 s on two idle cores, and ten times as long on a very busy machine. */
const BUILD_LIMIT_MS = 300_000;

/** A fresh clone after `npm ci`: the tracked files and the installed packages, without any build. */
async function cloneInto(folder: string): Promise<void> {
  const tracked = execFileSync('git', ['ls-files', '-z', 'apps', 'libs', 'scripts', 'nest-cli.json', 'package.json', 'tsconfig*.json'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of tracked.split('\0')) if (file && existsSync(join(ROOT, file))) await cp(join(ROOT, file), join(folder, file));
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '@acexy'), { recursive: true });
  for (const name of await readdir(join(ROOT, 'node_modules')))
    if (name !== '@acexy') await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  // The workspaces of the clone, not those of this checkout.
  for (const kind of ['libs', 'apps'])
    for (const name of await readdir(join(folder, kind))) await symlink(join(folder, kind, name), join(modules, '@acexy', name));
}

describe('nest build in a fresh clone', () => {
  let clone: string;
  beforeAll(async () => {
    clone = await mkdtemp(join(tmpdir(), 'nest-build-'));
    await cloneInto(clone);
  });
  afterAll(() => rm(clone, { recursive: true, force: true }));

  it.each(['orchestrator', 'proxy'])(
    'builds the %s and the libraries that it needs at run time',
    (service) => {
      const nest = join(ROOT, 'node_modules/.bin/nest');
      execFileSync(nest, ['build', service], { cwd: clone, timeout: BUILD_LIMIT_MS, stdio: 'pipe' });
      const main = join(clone, `apps/${service}/dist/main.js`);
      expect(existsSync(main)).toBe(true);
      // An invalid setting ends the service with 78 after it has loaded all its modules.
      const env = { ...process.env, APP_PORT: 'none', ACEXY_LISTEN_ADDR: 'none' };
      expect(() => execFileSync(process.execPath, [main], { cwd: clone, env, stdio: 'pipe' })).toThrow(/invalid settings/);
    },
    2 * BUILD_LIMIT_MS,
  );
});
