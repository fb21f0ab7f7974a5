import { describe, expect, it } from 'vitest';
import { expectOnlyPauses } from '../soak/soak-verdict.js';
import { runSoak } from '../soak/soak.js';
import { installedPlayers } from '../support/players.js';

const players = installedPlayers();

/** Short form of `npm run soak`: all players watch at the same time, five minutes in total. */
describe('ffmpeg, mpv, VLC, GStreamer and a browser watch one stream, as TS and as HLS, while engines fail, users pause and one viewer is slow', () => {
  it.skipIf(players.length === 0)(
    'no player exits or reports an error, joining players play, and all share one engine session',
    { timeout: 240_000 },
    async () => {
      const lines: string[] = [];
      const report = await runSoak({ seconds: 20, players, hls: true, log: (line) => lines.push(line) });
      expectOnlyPauses(report);
      expect(report.rounds.length).toBeGreaterThanOrEqual(2);
      if (report.web !== null) expect(report.web.seconds).toBeGreaterThan(8);
    },
  );
});
