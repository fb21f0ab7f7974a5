/**
 * `npm run bench`: runs every benchmark that needs no Docker, one after another, and prints one table at the end. Arguments such as --save are passed to
 * each. Exits with 1 if a goal is missed.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ALL = [
  ['fan-out.mjs'],
  ['fan-out.mjs', '--streams', '100', '--viewers', '4'],
  ['fan-out.mjs', '--viewers', '2000'],
  ['stalled-viewers.mjs'],
  ['join.mjs'],
  ['stream-start.mjs'],
  ['failover.mjs'],
  ['orchestrator.mjs'],
];

const rows = [];
let missed = 0;
for (const [file, ...options] of ALL) {
  console.log(`\n> ${file} ${options.join(' ')}`);
  const bench = fork(fileURLToPath(new URL(file, import.meta.url)), [...options, ...process.argv.slice(2)]);
  bench.on('message', ({ type, result }) => type === 'result' && rows.push(...result.rows));
  const [status] = await once(bench, 'exit');
  if (status !== 0) missed += 1;
}

const verdict = ({ goal, met }) => (goal === undefined ? '' : `${goal}: ${met ? 'met' : '**missed**'}`);
console.log('\n| What | Ours | Against | Ratio | Goal |\n| - | - | - | - | - |');
for (const row of rows) console.log(`| ${row.what} | ${row.ours} | ${row.other ?? ''} | ${row.ratio ?? ''} | ${verdict(row)} |`);
console.log(missed === 0 ? '\nall goals met' : `\n${missed} of ${ALL.length} benchmarks missed a goal or failed`);
process.exitCode = missed === 0 ? 0 : 1;
