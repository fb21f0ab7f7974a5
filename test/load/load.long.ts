/** `npm run load -- --level light|medium|high|very-high [--seconds 30] [--json FILE]`; several levels with commas. */
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DOCKER_MISSING } from '../support/docker.js';
import { type Level, LEVELS, type LoadReport, runLoad } from './load.js';
import { shortfalls, tableOf } from './load-report.js';

const levels = (process.env.LOAD_LEVEL ?? 'light').split(',') as Level[];
const seconds = Number(process.env.LOAD_SECONDS ?? 30);
const reports: LoadReport[] = [];

for (const level of levels) {
  if (!(level in LEVELS)) throw new Error(`--level must be one of ${Object.keys(LEVELS).join(', ')}, not ${level}`);
}
if (!(seconds >= 5)) throw new Error(`--seconds must be a number of at least 5, not ${process.env.LOAD_SECONDS}`);
if (DOCKER_MISSING !== null) throw new Error(`the load test needs real containers: ${DOCKER_MISSING}`);

it.each(levels)('at the level %s every stream starts, none is interrupted, and the orchestrator may restart', async (level) => {
  const report = await runLoad({ level, seconds, log: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`) });
  reports.push(report);
  console.log(`\n${report.machine}\n${tableOf(reports)}\n`);
  if (process.env.LOAD_JSON !== undefined) writeFileSync(process.env.LOAD_JSON, JSON.stringify(reports, null, 2));
  expect(shortfalls(report)).toEqual([]);
});
