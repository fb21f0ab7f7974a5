/** `npm run docs:benchmarks`: writes the table in docs/benchmarks.md from bench/results. With --check, exits with 1 if they do not agree. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { BENCHMARKS, tableOf } from '../bench/support/table.mjs';
import { ROOT } from './prepare.mjs';

const BEGIN = '<!-- results: npm run docs:benchmarks -->';
const END = '<!-- end of results -->';

const results = BENCHMARKS.map(({ result }) => join(ROOT, 'bench/results', `${result}.json`))
  .filter(existsSync)
  .map((file) => JSON.parse(readFileSync(file, 'utf8')));
const days = [...new Set(results.map(({ at }) => at.slice(0, 10)))].sort();
const machines = results.map(
  ({ machine }) => `${machine.cpu}, ${machine.cpus} cores, ${machine.memoryGigabytes} GB, ${machine.system}, Node ${machine.node}`,
);
const made = [`${[...new Set(machines)].join('; ')}. ${days.join(', ')}.`, tableOf(results.flatMap(({ rows }) => rows))].join('\n\n');

const file = join(ROOT, 'docs/benchmarks.md');
const page = readFileSync(file, 'utf8');
const [before, after] = [page.split(BEGIN)[0], page.split(END)[1]];
if (after === undefined) throw new Error(`${file} has no ${BEGIN} followed by ${END}: add both lines where the table belongs`);
const text = await format(`${before}${BEGIN}\n\n${made}\n\n${END}${after}`, { ...(await resolveConfig(file)), filepath: file });
if (!process.argv.includes('--check')) writeFileSync(file, text);
else if (text !== page) {
  console.error('docs/benchmarks.md does not show bench/results: run npm run docs:benchmarks');
  process.exitCode = 1;
}
