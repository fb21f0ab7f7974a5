/**
 * Whether the compiled files are newer than everything from which they are made. `tsc -b` compares the same times, but it needs a quarter of a second to
 * load. The stamp has the time at which the last successful build began.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT_INPUTS = ['tsconfig.json', 'tsconfig.base.json', 'package-lock.json'];

const stampOf = (root) => join(root, 'node_modules/.cache/build-stamp');
const timeOf = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs;

export function isBuilt(root) {
  const builtAt = timeOf(stampOf(root));
  const workspaces = ['apps', 'libs']
    .flatMap((group) => readdirSync(join(root, group)).map((name) => join(root, group, name)))
    .filter((folder) => existsSync(join(folder, 'tsconfig.json')));
  if (builtAt === undefined || !workspaces.every((folder) => existsSync(join(folder, 'dist/.tsbuildinfo')))) return false;
  const inputs = [...ROOT_INPUTS.map((name) => join(root, name)), ...workspaces.flatMap(inputsOf)];
  return inputs.every((path) => timeOf(path) < builtAt);
}

/** A file that was added or removed changes the time of its folder. */
function inputsOf(workspace) {
  const source = join(workspace, 'src');
  const names = readdirSync(source, { recursive: true });
  return [join(workspace, 'tsconfig.json'), join(workspace, 'package.json'), source, ...names.map((name) => join(source, name))];
}

/** @param beganAt milliseconds since 1970: what changed during the build is newer */
export function stampBuild(root, beganAt) {
  const stamp = stampOf(root);
  try {
    mkdirSync(dirname(stamp), { recursive: true });
    rmSync(stamp, { force: true }); // it may be linked into copies of the checkout
    writeFileSync(stamp, '');
    utimesSync(stamp, beganAt / 1000, beganAt / 1000);
  } catch (error) {
    console.error(`the next start checks the build again: ${error.message}`);
  }
}
