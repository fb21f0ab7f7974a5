/**
 * `npm run bench`: runs every benchmark that needs no Docker, one after another, and prints one table at the end. Arguments such as --save are passed to
 * each. Exits with 1 if a goal is missed or a benchmark fails.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BENCHMARKS, tableOf } from './support/table.mjs';

/** The longest takes about three minutes. */
const LIMIT_MS = 480_000;

const rows = [];
for (const { file, options } of BENCHMARKS.filter(({ needsDocker }) => !needsDocker)) {
  console.log(`\n> ${file} ${options.join(' ')}`);
  const bench = fork(fileURLToPath(new URL(file, import.meta.url)), [...options, ...process.argv.slice(2)], {
    timeout: LIMIT_MS,
  });
  const results = [];
  bench.on('message', ({ type, result }) => type === 'result' && results.push(result));
  const [status, signal] = await once(bench, 'exit');
  if (results.length === 0) results.push({ rows: [{ what: file, ours: `failed: ${signal ?? `status ${status}`}`, met: false }] });
  rows.push(...results.flatMap((result) => result.rows));
}

const missed = rows.filter(({ met }) => met === false).length;
console.log(`\n${tableOf(rows)}\n\n${missed === 0 ? 'all goals met' : `${missed} goals missed`}`);
process.exitCode = missed === 0 ? 0 : 1;
