/**
 * The long tests: `node scripts/long-test.mjs soak|matrix|chaos|load [--name value …]`. An option reaches the test as an environment variable:
 * `soak --minutes 60` as SOAK_MINUTES=60.
 */
import { spawnSync } from 'node:child_process';
import { ROOT, prepare } from './prepare.mjs';

const [test, ...options] = process.argv.slice(2);
if (!['soak', 'matrix', 'chaos', 'load'].includes(test)) {
  console.error('usage: node scripts/long-test.mjs soak|matrix|chaos|load [--name value …]');
  process.exit(2);
}
const env = { ...process.env };
for (let at = 0; at < options.length; at += 2) {
  const name = /^--([a-z-]+)$/.exec(options[at])?.[1];
  const value = options[at + 1];
  if (name === undefined || value === undefined) {
    console.error(`options are given as --name value, not as ${options[at]}`);
    process.exit(2);
  }
  env[`${test}_${name.replaceAll('-', '_')}`.toUpperCase()] = value;
}
prepare();
// The file comes first: what follows an option that takes no value could be taken for its value.
const vitest = [
  'node_modules/vitest/vitest.mjs',
  'run',
  `test/${test === 'matrix' ? 'chaos' : test}/${test}.long.ts`,
  '--project',
  'long',
  '--disable-console-intercept',
];
process.exit(spawnSync(process.execPath, vitest, { cwd: ROOT, env, stdio: 'inherit' }).status ?? 1);
