/**
 * Prepares a checkout: installs the packages of the lock file, builds their native parts for this Node, and compiles. Skips what exists, so a second
 * start takes a second.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBuilt, stampBuild } from './build-stamp.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MINIMUM_NODE = [20, 19];

export function prepare() {
  checkNode();
  if (!installed())
    run('npm', ['ci', '--no-audit', '--no-fund'], 'installing packages (once; compiling native parts may take two minutes)');
  if (!nativePartsLoad()) run('npm', ['rebuild', 'better-sqlite3'], `building native parts for Node ${process.version}`);
  build();
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return;
  fail(`Node ${process.versions.node} is too old: install ${MINIMUM_NODE.join('.')} or newer`);
}

function build() {
  if (isBuilt(ROOT)) return;
  const beganAt = Date.now();
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  run(process.execPath, [compiler, '-b'], existsSync(join(ROOT, 'apps/proxy/dist')) ? null : 'building');
  stampBuild(ROOT, beganAt);
}

/** npm writes a copy of the lock file at each installation. */
function installed() {
  const copy = join(ROOT, 'node_modules/.package-lock.json');
  return existsSync(copy) && statSync(copy).mtimeMs >= statSync(join(ROOT, 'package-lock.json')).mtimeMs;
}

/** False if the compiled SQLite driver is missing or was built for another Node. */
function nativePartsLoad() {
  try {
    const Database = createRequire(join(ROOT, 'apps/orchestrator/package.json'))('better-sqlite3');
    new Database(':memory:').close();
    return true;
  } catch (error) {
    console.error(`better-sqlite3 does not load: ${String(error.message).split('\n')[0]}`);
    return false;
  }
}

function run(command, args, announcement) {
  if (announcement) console.error(`> ${announcement} …`);
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (error || status !== 0) fail(`"${[command, ...args].join(' ')}" failed${error ? `: ${error.message}` : ` with exit code ${status}`}`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
