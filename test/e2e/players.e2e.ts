import { describe, expect, it } from 'vitest';
import { expectNobodyNoticed } from '../soak/soak-verdict.js';
import { runSoak } from '../soak/soak.js';
import { installedPlayers } from '../support/players.js';

const players = installedPlayers();

/** The short form of `npm run soak`: five minutes of watching, by all players at the same time. */
describe('ffmpeg, mpv, VLC, GStreamer and a browser watch one stream, as TS and as HLS, while engines are lost, users pause and a neighbour is slow', () => {
  it.skipIf(players.length === 0)(
    'none of them ends or finds fault with the stream, those that join play, and all are one engine session',
    async () => {
      const said: string[] = [];
      const report = await runSoak({ seconds: 20, players, hls: true, log: (line) => said.push(line) });
      expectNobodyNoticed(report);
      expect(report.rounds.length).toBeGreaterThanOrEqual(2);
      if (report.web !== null) expect(report.web.seconds).toBeGreaterThan(8);
    },
  );
});
