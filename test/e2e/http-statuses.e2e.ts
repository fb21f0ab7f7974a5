import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pair, contentId } from '../support/pair.js';
import { ROOT } from '../support/service-process.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

describe('HTTP statuses before the first byte', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200' },
      orchestrator: { MIN_REPLICAS: '1', MAX_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05', FULL_POOL_WAIT_S: '2' },
      proxy: {
        ACEXY_NO_RESPONSE_TIMEOUT: '2s',
        ACEXY_FIRST_BYTE_TIMEOUT: '2s',
        ACEXY_START_TIMEOUT: '6s',
        ACEXY_LINGER: '100ms',
        ACEXY_M3U8_STREAM_TIMEOUT: '4s',
        ACEXY_HLS_SEGMENT: '2s',
      },
    });
  });
  afterAll(() => pair.stop());

  const get = (path: string, init?: RequestInit): Promise<Response> => fetch(pair.proxyUrl + path, init);
  const untilNothingPlays = (): Promise<unknown> =>
    until('no stream is left', async () => ((await (await get('/ace/status')).json()) as { streams: number }).streams === 0);

  it.each([
    ['no selector', '/ace/getstream'],
    ['both selectors', `/ace/getstream?id=${contentId(1)}&infohash=${contentId(2)}`],
    ['an id that is not 40 hexadecimal digits', '/ace/getstream?id=hello'],
    ['an empty id', '/ace/getstream?id='],
    ['two values of one selector', `/ace/getstream?id=${contentId(1)}&id=${contentId(2)}`],
    ['a url that the engine would fetch', `/ace/getstream?id=${contentId(1)}&url=http://example.org/x.acelive`],
    ['a magnet', '/ace/getstream?magnet=magnet:?xt=1'],
  ])('400 for %s, with the field named in JSON', async (_, path) => {
    const response = await get(path);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: expect.any(String) as string });
  });

  it('404 for an unknown path and for the status of a stream that does not play', async () => {
    expect((await get('/nothing')).status).toBe(404);
    expect((await get(`/ace/status?id=${contentId(77)}`)).status).toBe(404);
  });

  it('405 with Allow for another method, on both services', async () => {
    const proxy = await get(`/ace/getstream?id=${contentId(1)}`, { method: 'POST' });
    expect([proxy.status, proxy.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const api = await fetch(`${pair.apiUrl}/engines`, { method: 'DELETE' });
    expect([api.status, api.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('HEAD returns the headers and starts nothing', async () => {
    const response = await get(`/ace/getstream?id=${contentId(50)}`, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'video/MP2T']);
    expect((await get(`/ace/status?id=${contentId(50)}`)).status).toBe(404);
  });

  it('200 for every spelling of one content that was seen in the field, as TS and as HLS, in one engine session', async () => {
    const cases = readFileSync(join(ROOT, 'apps/proxy/src/http/getstream.cases.tsv'), 'utf8').split('\n');
    const targets = cases
      .map((line) => line.split('\t'))
      .flatMap(([target, read]) => (target.startsWith('/') && read === 'id' ? [target] : []));
    expect(targets.length).toBeGreaterThan(15);
    const viewers = await Promise.all(targets.map((target) => Viewer.open(pair.proxyUrl + target, { keep: false })));
    expect(viewers.map(({ status }, index) => [targets[index], status])).toEqual(targets.map((target) => [target, 200]));
    const playlists = await Promise.all(targets.map((target) => get(target.replace('getstream', 'manifest.m3u8'))));
    for (const playlist of playlists) expect(await playlist.text()).toMatch(/^(?:\.\.\/)*manifest\.m3u8\?.*\bid=b{40}&.*hls=/m);
    expect(await (await get('/ace/status')).json()).toMatchObject({ streams: 1, clients: 2 * targets.length });
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    await untilNothingPlays();
  });

  it('401 without the key, and with a wrong one', async () => {
    for (const headers of [undefined, { Authorization: 'Bearer wrong' }]) {
      const response = await fetch(`${pair.apiUrl}/provision/acestream`, { method: 'POST', headers });
      expect(response.status).toBe(401);
      expect(await response.json()).toHaveProperty('detail');
    }
  });

  it('502 with the engines’ message when every engine rejects the content', async () => {
    const response = await get(`/ace/getstream?id=${faulty('fa1701')}`);
    expect(response.status).toBe(502);
    expect(JSON.stringify(await response.json())).toContain('failed to load content');
  });

  it('200 when the content is rejected and the request names an alternative, as TS and as HLS', async () => {
    const query = `id=${faulty('fa1701')}&alt=${contentId(60)}`;
    const viewer = await Viewer.open(`${pair.proxyUrl}/ace/getstream?${query}`, { keep: false });
    expect(viewer.status).toBe(200);
    await viewer.untilBytes(100_000);
    expect(await (await get(`/ace/manifest.m3u8?${query}`)).text()).toContain(`alt=${contentId(60)}&hls=`);
    expect((await (await get(`/ace/status?id=${contentId(60)}`)).json()) as { clients: number }).toMatchObject({ clients: 2 });
    await viewer.leave();
    await untilNothingPlays();
  });

  it('504 when the engines send no data, and every started session is stopped', async () => {
    const response = await get(`/ace/getstream?id=${faulty('fa1702')}`);
    expect(response.status).toBe(504);
    await until('all stopped', async () => {
      const metrics = await pair.engineMetrics();
      return metrics.every(({ sessions }) => sessions.active === 0 && sessions.stopped === sessions.opened);
    });
  });

  it('503 when every engine is in use, with a Retry-After of seconds because viewers come and go', async () => {
    const viewers = await Promise.all([1, 2].map((index) => Viewer.open(pair.streamUrl(contentId(index)), { keep: false })));
    expect(viewers.map(({ status }) => status)).toEqual([200, 200]);
    const response = await get(`/ace/getstream?id=${contentId(3)}`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('3');
    expect(await response.json()).toMatchObject({ error: expect.any(String) as string, retry_after: 3 });
    await until('the log has the reason', () => Promise.resolve(pair.proxy.log.includes('no engines available')));
    await Promise.all(viewers.map((viewer) => viewer.leave()));
  });
});

/** A content id whose prefix causes a fault (apps/engine-simulator/README.md). */
function faulty(prefix: string): string {
  return prefix.padEnd(40, '0');
}
