/** `npm run load -- --level light|medium|high|very-high [--megabits 3.5] [--viewers 2] [--seconds 30] [--json FILE]`; several levels with commas. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { ENCODERS } from '../doubles/ffmpeg-clips.js';
import { DOCKER_MISSING } from '../support/docker.js';
import { ROOT } from '../support/service-process.js';
import { type Level, LEVELS } from './load-levels.js';
import { type LoadReport, runLoad } from './load.js';
import { arithmeticOf, needsOf, shortfalls, tableOf } from './load-report.js';

const levels = (process.env.LOAD_LEVEL ?? 'light').split(',') as Level[];
const seconds = Number(process.env.LOAD_SECONDS ?? 30);
const megabits = Number(process.env.LOAD_MEGABITS ?? 3.5);
const viewersPerStream = Number(process.env.LOAD_VIEWERS ?? 2);
const reports: LoadReport[] = [];

for (const level of levels) {
  if (!Object.hasOwn(LEVELS, level)) throw new Error(`--level must be one of ${Object.keys(LEVELS).join(', ')}, not ${level}`);
}
if (!(seconds >= 5)) throw new Error(`--seconds must be a number of at least 5, not ${process.env.LOAD_SECONDS}`);
if (!(megabits >= 2 && megabits <= 20)) throw new Error(`--megabits must be a number from 2 to 20, not ${process.env.LOAD_MEGABITS}`);
if (!Number.isInteger(viewersPerStream) || viewersPerStream < 1)
  throw new Error(`--viewers must be a whole number of at least 1, not ${process.env.LOAD_VIEWERS}`);
if (ENCODERS === '') throw new Error('the load test needs ffmpeg for its picture: install ffmpeg');
if (DOCKER_MISSING !== null) throw new Error(`the load test needs real containers: ${DOCKER_MISSING}`);

// The engines are those of this checkout, and not of an older image.
beforeAll(() => void execFileSync(join(ROOT, 'docker/engine-simulator/build.sh'), { stdio: 'inherit' }));

it.each(levels)('at the level %s every stream starts, none is interrupted, and the orchestrator may restart', async (level) => {
  const log = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
  const report = await runLoad({ level, seconds, megabits, viewersPerStream, log });
  reports.push(report);
  console.log(`\n${report.machine}\n\n${tableOf(reports)}\n\n${needsOf(report)}\n\n${arithmeticOf(report)}\n`);
  if (process.env.LOAD_JSON !== undefined) writeFileSync(process.env.LOAD_JSON, JSON.stringify(reports, null, 2));
  expect(shortfalls(report)).toEqual([]);
});
