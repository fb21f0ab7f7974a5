import { PAT_PID, pidOf } from '@acexy/mpegts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type TestEngine, startEngine } from '../../../../test/doubles/simulated-engine.fixture.js';
import type { SimulatorSettings } from '../faults/simulator-settings.js';

const ID = '01'.repeat(20);
let running: TestEngine | null = null;

async function begin(settings: Partial<SimulatorSettings> = {}) {
  running = await startEngine(settings);
  const { response } = await running.json(`/ace/manifest.m3u8?id=${ID}&format=json&pid=p`);
  const text = async () => (await fetch(response.playback_url)).text();
  return {
    ...running,
    response,
    text,
    segments: async () => (await text()).split('\n').filter((line) => line !== '' && !line.startsWith('#')),
  };
}
afterEach(async () => {
  vi.useRealTimers();
  await running?.stop();
});

describe('HLS', () => {
  it('has absolute segment URLs without the key, and the same segments for every reader', async () => {
    const { response, segments, url } = await begin();
    expect(response.playback_url).toMatch(/\/ace\/m\/[0-9a-f]{40}\/[0-9a-f]{32}\.m3u8$/);
    const urls = await segments();
    expect(urls.length).toBeGreaterThanOrEqual(3);
    expect(urls[0]).toBe(`${url}/ace/c/${response.infohash}/0.ts`);
    const [one, two] = await Promise.all([0, 1].map(async () => Buffer.from(await (await fetch(urls[0])).arrayBuffer())));
    expect(one.equals(two)).toBe(true);
    expect(pidOf(one, 0)).toBe(PAT_PID);
    expect((await fetch(`${url}/ace/c/${response.infohash}/999.ts`)).status).toBe(404);
  });

  it('delays the first playlist until there are segments', async () => {
    const { response, text, engine } = await begin({ hlsPrebufMs: 300 });
    const [session] = engine.context.sessions.list();
    expect(response.is_live).toBe(1);
    expect(await text()).toContain('#EXTM3U');
    expect(Date.now()).toBeGreaterThanOrEqual(session.readyAt);
  });

  it('answers 500 after a stop and 403 after another player started the content', async () => {
    const { response, json, play } = await begin();
    await json(`/ace/manifest.m3u8?id=${ID}&format=json&pid=q`);
    expect((await fetch(response.playback_url)).status).toBe(403);
    const again = (await json(`/ace/manifest.m3u8?id=${ID}&format=json&pid=q`)).response;
    await json(`${again.command_url}?method=stop`);
    expect((await fetch(again.playback_url)).status).toBe(500);
    expect((await play(`id=${ID}&pid=q`)).playback_url).toContain('/ace/r/');
  });

  it('delays the first playlist of a content without peers, and stops advancing if it loses them', async () => {
    const { engine, text } = await begin();
    engine.context.faults.set(ID, { peers: 0 });
    const held = text();
    expect(await Promise.race([held, new Promise((resolve) => setTimeout(resolve, 300, 'held'))])).toBe('held');
    engine.context.faults.clear();
    expect(await held).toContain('#EXTINF');
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 20_000);
    const later = await text();
    expect(later).not.toBe(await held);
    engine.context.faults.set(ID, { peers: 0 });
    expect(await text()).toBe(later);
    vi.setSystemTime(Date.now() + 20_000);
    expect(await text()).toBe(later);
  });

  it('sends relative URLs, a master playlist or an error if a fault requires it', async () => {
    const { engine, text, segments, response, url } = await begin();
    engine.context.faults.set(ID, { hlsRelativeUrls: true });
    expect((await segments())[0]).toBe(`/ace/c/${response.infohash}/0.ts`);
    engine.context.faults.set(ID, { hlsMasterPlaylist: true });
    const variant = `/hls/m/${response.infohash}/${response.playback_url.slice(-37)}`;
    expect((await text()).split('\n')).toEqual([
      '#EXTM3U',
      '#EXT-X-VERSION:3',
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="main",DEFAULT=YES,URI="${variant}"`,
      '#EXT-X-STREAM-INF:BANDWIDTH=500000,AUDIO="audio"',
      variant,
      '',
    ]);
    const [, old] = /#EXTINF.*\n(.*)/.exec(await (await fetch(url + variant)).text())!;
    expect(old).toBe(`/hls/c/${response.infohash}/0.ts`);
    expect((await fetch(url + old)).status).toBe(200);
    engine.context.faults.set(ID, { hlsSegment404: true });
    expect((await fetch(`${url}/ace/c/${response.infohash}/0.ts`)).status).toBe(404);
    engine.context.faults.set(ID, { hlsForbidden: true });
    expect((await fetch(response.playback_url)).status).toBe(403);
  });
});
