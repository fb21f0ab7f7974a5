/** `npm run chaos [-- --seed N] [--faults 1000] [--viewers 50] [--log FILE]`: random faults. The seed of a failing run repeats it. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectMemoryFlat, expectNoLossAndNoLeak, summaryOf } from './chaos-verdict.js';
import { runChaos } from './chaos.js';

const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const faults = Number(process.env.CHAOS_FAULTS ?? 1000);
const viewers = Number(process.env.CHAOS_VIEWERS ?? 50);
const file = process.env.CHAOS_LOG;

describe(`chaos with seed ${seed}`, () => {
  it(`after ${faults} faults none of ${viewers} viewers lost its stream, and no resources are left`, async () => {
    const log = (line: string): void => {
      console.log(line);
      if (file !== undefined) appendFileSync(file, `${line}\n`);
    };
    if (file !== undefined) writeFileSync(file, '');
    log(`chaos with seed ${seed}, started ${new Date().toISOString()}, Node ${process.version}`);
    const report = await runChaos({ seed, faults, viewers, log });
    for (const line of summaryOf(report)) log(line);
    expectNoLossAndNoLeak(report);
    expectMemoryFlat(report);
    expect(report.failovers).toBeGreaterThan(0);
  });
});
