import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BROWSER_PLAYS_HLS, BrowserPlayer, HAS_BROWSER, browserStatuses } from '../support/browser.js';
import { Pair, contentId } from '../support/pair.js';
import { until } from '../support/until.js';

/** A longer freeze counts as a fault. */
const FREEZE_MS = 1500;

describe.skipIf(!HAS_BROWSER)('a browser', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200', SIM_BITRATE: '500000' },
      orchestrator: { MIN_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_LINGER: '100ms', ACEXY_HLS_SEGMENT: '2s' },
    });
    await until('free engines', async () => (await pair.engines()).length >= 2);
  });
  afterAll(() => pair.stop());

  it.skipIf(!BROWSER_PLAYS_HLS)('plays in a <video> without crossorigin in a page of another port, with no script', async () => {
    const player = await BrowserPlayer.open(`${pair.proxyUrl}/ace/manifest.m3u8?id=${contentId(2)}`, 'video');
    try {
      const state = await until('2 s of picture, or an error', async () => {
        const now = await player.state();
        return (now.seconds >= 2 || now.fatal.length > 0) && now;
      });
      expect(state).toMatchObject({ fatal: [], errors: [] });
    } finally {
      await player.close();
    }
  });

  it('gets 403 from both services when the host name of another site leads to them (DNS rebinding)', async () => {
    for (const [port, path] of [
      [pair.proxyPort, '/ace/status'],
      [pair.apiPort, '/engines'],
    ] as const) {
      expect(await browserStatuses('tv.evil.example', port, path)).toEqual([403, 403]);
      expect(await browserStatuses('tv.home.arpa', port, path)).toEqual([200, 200]);
    }
  });

  it('plays with hls.js from another origin without a freeze, also when the engine fails and after a pause', async () => {
    const id = contentId(1);
    const player = await BrowserPlayer.open(`${pair.proxyUrl}/ace/manifest.m3u8?id=${id}`);
    try {
      const plays = async (seconds: number) => {
        const from = (await player.state()).seconds;
        let state = await player.state();
        await until(`${seconds} s of picture`, async () => (state = await player.state()).seconds >= from + seconds, 40_000).catch(
          (error) => {
            throw new Error(`${error}: ${JSON.stringify(state)}`);
          },
        );
      };
      await plays(2);
      const [stream] = await pair.startedStreams();
      const engine = (await pair.engines()).find(({ container_id }) => container_id === stream.container_id)!;
      await pair.control(engine).end('superseded');
      await plays(8);
      expect((await pair.streamStatus(id)).failovers).toBe(1);
      await player.pause();
      await sleep(3000);
      await player.play();
      await plays(3);
      const state = await player.state();
      expect(state.fatal).toEqual([]);
      expect(state.longestFreezeMs).toBeLessThan(FREEZE_MS);
      expect(state.frames).toBeGreaterThan(200);
    } finally {
      await player.close();
    }
  });
});
