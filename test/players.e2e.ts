import { describe, expect, it } from 'vitest';
import { expectNobodyNoticed } from './proofs/soak-verdict.js';
import { runSoak } from './proofs/soak.js';
import { installedPlayers } from './support/players.js';

const players = installedPlayers();

/** The short form of `npm run soak`: three minutes of watching, by all players at the same time. */
describe('ffmpeg, mpv, VLC and GStreamer watch while engines are lost and a neighbour is slow', () => {
  it.skipIf(players.length === 0)('none of them ends or finds fault with the stream, and those that join play', async () => {
    const said: string[] = [];
    const report = await runSoak({ seconds: 24, players, visitors: 2, log: (line) => said.push(line) });
    expectNobodyNoticed(report);
    expect(report.rounds.length).toBeGreaterThanOrEqual(2);
  });
});
