/** `npm run soak -- --minutes 60 [--log FILE] [--only TEXT]`. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { installedPlayers } from '../support/players.js';
import { expectOnlyPauses, summaryOf } from './soak-verdict.js';
import { runSoak } from './soak.js';

const minutes = Number(process.env.SOAK_MINUTES ?? 3);
const file = process.env.SOAK_LOG;

describe(`players watch for ${minutes} minutes while engines fail`, () => {
  it('no player has more than pauses', async () => {
    const log = (line: string): void => {
      console.log(line);
      if (file !== undefined) appendFileSync(file, `${line}\n`);
    };
    if (file !== undefined) writeFileSync(file, '');
    const players = installedPlayers();
    expect(players.length).toBeGreaterThan(0);
    log(`soak of ${minutes} minutes, started ${new Date().toISOString()}, Node ${process.version}`);
    const report = await runSoak({ seconds: minutes * 60, players, only: process.env.SOAK_ONLY, log });
    for (const line of summaryOf(report)) log(line);
    expectOnlyPauses(report);
  });
});
