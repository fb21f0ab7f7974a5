/** `npm run bench`: every benchmark that needs no Docker, one after another; arguments such as --save are handed on. Ends with 1 where a goal is missed. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ALL = [
  ['fan-out.mjs'],
  ['fan-out.mjs', '--streams', '100', '--viewers', '4'],
  ['fan-out.mjs', '--viewers', '2000'],
  ['neighbours.mjs'],
  ['join.mjs'],
  ['stream-start.mjs'],
  ['failover.mjs'],
  ['orchestrator.mjs'],
];

let missed = 0;
for (const [file, ...options] of ALL) {
  console.log(`\n> ${file} ${options.join(' ')}`);
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...options, ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  if (status !== 0) missed += 1;
}
console.log(missed === 0 ? '\nall goals met' : `\n${missed} of ${ALL.length} benchmarks missed a goal or failed`);
process.exitCode = missed === 0 ? 0 : 1;
