/**
 * Runs a long test: `node scripts/long-test.mjs soak|matrix|chaos|load [--name value …]`. Each option becomes an environment variable of the test:
 * `soak --minutes 60` sets SOAK_MINUTES=60.
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
    console.error(`cannot read option ${options[at]}: write options as --name value`);
    process.exit(2);
  }
  env[`${test}_${name.replaceAll('-', '_')}`.toUpperCase()] = value;
}
prepare();
// The file comes first; after an option without a value, vitest would take it for that value.
const vitest = [
  'node_modules/vitest/vitest.mjs',
  'run',
  `test/${test === 'matrix' ? 'chaos' : test}/${test}.long.ts`,
  '--project',
  'long',
  '--disable-console-intercept',
];
process.exit(spawnSync(process.execPath, vitest, { cwd: ROOT, env, stdio: 'inherit' }).status ?? 1);
