import { PACKET_SIZE, SYNC_BYTE } from '@acexy/mpegts';
import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type TestEngine, readBytes, startEngine } from '../../../../test/doubles/simulated-engine.fixture.js';
import type { SimulatorSettings } from '../faults/simulator-settings.js';
import { type Marker, parseMarker } from '../media/marker.js';

const ID = '01'.repeat(20);
const OTHER = '02'.repeat(20);
const UNKNOWN = { response: null, error: 'unknown playback session id' };

let running: TestEngine[] = [];
async function start(settings: Partial<SimulatorSettings> = {}): Promise<TestEngine> {
  const engine = await startEngine(settings);
  running.push(engine);
  return engine;
}
afterEach(async () => {
  await Promise.all(running.map((engine) => engine.stop()));
  running = [];
});

describe('start', () => {
  it('returns the documented fields with URLs of the requested host', async () => {
    const { json, engine } = await start();
    const { port } = engine.http;
    const reply = await json(`http://localhost:${port}/ace/getstream?id=${ID}&format=json&pid=p`);
    expect(reply.error).toBeNull();
    const { infohash, playback_url, stat_url, command_url, playback_session_id, ...rest } = reply.response;
    expect(infohash).toMatch(/^[0-9a-f]{40}$/);
    expect(playback_session_id).toMatch(/^[0-9a-f]{40}$/);
    const address = (kind: string) => new RegExp(`^http://localhost:${port}/ace/${kind}/${infohash}/[0-9a-f]{32}$`);
    expect([playback_url, stat_url, command_url].map((url, index) => address(['r', 'stat', 'cmd'][index]).test(url))).toEqual([
      true,
      true,
      true,
    ]);
    expect(rest).toEqual({ is_live: 1, is_encrypted: 0, client_session_id: -1 });
  });

  it('uses the address of the client as player id if there is none', async () => {
    const { play } = await start();
    expect((await play(`id=${ID}`)).playback_url).toMatch(/\/f528764d624db129b32c21fbca0cb8d6$/);
  });

  it('leads to the stream over two redirects in redirect mode', async () => {
    const { url } = await start();
    const first = await fetch(`${url}/ace/getstream?id=${ID}`, { redirect: 'manual' });
    expect(first.status).toBe(302);
    expect(first.headers.get('location')).toMatch(/^http:.*\/ace\/r\//);
    const second = await fetch(first.headers.get('location')!, { redirect: 'manual' });
    expect(second.status).toBe(302);
    expect(second.headers.get('location')).toMatch(/\/content\/[0-9a-f]{40}\/0\.\d+$/);
    const stream = await fetch(second.headers.get('location')!);
    expect(stream.status).toBe(200);
    expect(stream.headers.get('content-type')).toBe('video/mp2t');
    expect(stream.headers.get('content-length')).toBeNull();
    await stream.body!.cancel();
  });

  it('reports an error with 200 in JSON mode and with 500 in redirect mode', async () => {
    const { json, url } = await start();
    expect(await json('/ace/getstream?id=xyz&format=json')).toEqual({ response: null, error: 'failed to load content' });
    expect(await json('/ace/getstream?format=json')).toEqual({ response: null, error: 'missing content id' });
    expect(await json('/ace/getstream?infohash=xyz&format=json')).toEqual({ response: null, error: 'cannot load transport file' });
    expect((await fetch(`${url}/ace/getstream?id=xyz`)).status).toBe(500);
  });

  it('accepts an unknown infohash as id, and rejects a known one', async () => {
    const { play, json } = await start();
    const { infohash } = await play(`id=${ID}&pid=p`);
    expect(await json(`/ace/getstream?id=${infohash}&format=json`)).toEqual({ response: null, error: 'failed to load content' });
    expect((await play(`infohash=${infohash}&pid=p`)).infohash).toBe(infohash);
    expect((await play(`infohash=${OTHER}`)).infohash).toBe(OTHER);
  });

  it('fails if a newer start of the same player finished first', async () => {
    const { json, engine } = await start({ jsonDelayMs: 200 });
    const older = json(`/ace/getstream?id=${ID}&pid=p&format=json`);
    while (engine.context.metrics.starts === 0) await new Promise(setImmediate);
    expect((await json(`/ace/getstream?id=${OTHER}&pid=p&format=json`)).error).toBeNull();
    expect(await older).toEqual({ response: null, error: 'got newer download' });
  });

  it('fails in the injected ways', async () => {
    const { engine, url, json } = await start();
    const begin = () => fetch(`${url}/ace/getstream?id=${ID}&format=json`);
    const { faults } = engine.context;
    faults.set('*', { httpStatus: 500 });
    expect((await begin()).status).toBe(500);
    faults.clear();
    faults.set(ID, { truncatedJson: true });
    await expect(begin().then((reply) => reply.json())).rejects.toThrow();
    faults.clear();
    faults.set(ID, { missingField: 'stat_url', wrongHostInUrls: 'http://10.9.9.9:1' });
    const { response } = await json(`/ace/getstream?id=${ID}&format=json`);
    expect(response).not.toHaveProperty('stat_url');
    expect(response.playback_url).toMatch(/^http:\/\/10.9.9.9:1\/ace\/r\//);
    faults.clear();
    expect((await json(`/ace/getstream?id=fa1701${'0'.repeat(34)}&format=json`)).error).toBe('failed to load content');
  });

  it('fails if the engine has its maximum of streams', async () => {
    const { play, json } = await start({ maxStreams: 1 });
    await play(`id=${ID}&pid=p`);
    expect(await json(`/ace/getstream?id=${OTHER}&pid=q&format=json`)).toEqual({ response: null, error: 'failed to start' });
  });
});

describe('stream', () => {
  it('has complete packets from a few seconds back, with consecutive markers', async () => {
    const { play, engine } = await start();
    const { playback_url, infohash } = await play(`id=${ID}&pid=p`);
    const before = Date.now();
    const stream = await fetch(playback_url);
    const bytes = await readBytes(stream.body!, 300_000);
    const markers: Marker[] = [];
    for (let at = 0; at + PACKET_SIZE <= bytes.length; at += PACKET_SIZE) {
      expect(bytes[at]).toBe(SYNC_BYTE);
      const marker = parseMarker(bytes, at);
      if (marker) markers.push(marker);
    }
    expect(markers.length).toBeGreaterThan(40);
    // The burst's 6 s begin at a keyframe, so up to a group of pictures (1.92 s) earlier or later.
    expect(before - markers[0].mediaTime).toBeGreaterThan(6000 - 1920 - 100);
    expect(before - markers[0].mediaTime).toBeLessThan(6000 + 1920 + 100);
    markers.forEach((marker, index) => expect(marker).toMatchObject({ infohash, sequence: markers[0].sequence + index }));
    expect(engine.context.metrics.bytesSent).toBeGreaterThanOrEqual(bytes.length);
    await stream.body!.cancel();
  });

  it('sends a corrupt reply to a second reader and continues for the first', async () => {
    const { play, engine } = await start();
    const { playback_url } = await play(`id=${ID}&pid=p`);
    const first = await fetch(playback_url);
    await readBytes(first.body!, 1);
    const second = request(playback_url);
    second.end();
    const [redirect] = await once(second, 'response');
    redirect.resume();
    await expect(fetch(redirect.headers.location)).rejects.toThrow();
    expect((await readBytes(first.body!, 100_000)).length).toBeGreaterThanOrEqual(100_000);
    expect(engine.context.metrics.snapshot()).toMatchObject({ corruptReplies: 1, readers: { opened: 1, open: 1, maxPerSession: 1 } });
    await first.body!.cancel();
  });

  it('serves or rejects a second reader if a fault requires it', async () => {
    const { play, engine } = await start({ secondReader: 'shared' });
    const { playback_url } = await play(`id=${ID}&pid=p`);
    const [one, two] = [await fetch(playback_url), await fetch(playback_url)];
    await readBytes(two.body!, 1);
    expect(engine.context.metrics.maxReadersPerSession).toBe(2);
    engine.context.faults.set('*', { secondReader: 'reject500' });
    expect((await fetch(playback_url)).status).toBe(500);
    await Promise.all([one.body!.cancel(), two.body!.cancel()]);
  });

  it('starts after the prebuffering', async () => {
    const { play, json, engine } = await start({ prebufMs: 400 });
    const { playback_url, stat_url } = await play(`id=${ID}&pid=p`);
    const [session] = engine.context.sessions.list();
    const { response } = await json(stat_url);
    expect(response).toMatchObject({ status: 'prebuf', playback_session_id: session.playbackSessionId });
    expect(response.progress).toBeLessThan(100);
    const stream = await fetch(playback_url);
    expect(Date.now()).toBeGreaterThanOrEqual(session.readyAt);
    await stream.body!.cancel();
  });

  it('answers 500 for a dead source', async () => {
    const { play } = await start();
    const { playback_url } = await play(`id=fa1703${'0'.repeat(34)}&pid=p`);
    const reply = await fetch(playback_url);
    expect([reply.status, await reply.text()]).toEqual([500, 'start timeout']);
  });

  it('ends or resets the connection after the configured time', async () => {
    const { play } = await start();
    const ending = await fetch((await play(`id=fa170600${'0'.repeat(32)}&pid=p`)).playback_url);
    expect((await readBytes(ending.body!, Infinity)).length).toBe(0);
    const resetting = await play(`id=fa170700${'0'.repeat(32)}&pid=q`);
    await expect(fetch(resetting.playback_url).then((reply) => reply.arrayBuffer())).rejects.toThrow();
  });
});

describe('start in the middle of the picture', () => {
  it('begins at any packet, or with a part of one if a fault requires it', async () => {
    const { play, engine } = await start({ startAt: 'packet' });
    const [table] = await firstBytes(play, 'p');
    engine.context.faults.set('*', { misalignedStart: true });
    const cut = await firstBytes(play, 'q');
    expect(table).toBe(SYNC_BYTE);
    expect(cut[PACKET_SIZE - 77]).toBe(SYNC_BYTE);
    expect(cut[2 * PACKET_SIZE - 77]).toBe(SYNC_BYTE);
  });

  async function firstBytes(play: TestEngine['play'], pid: string): Promise<Buffer> {
    const stream = await fetch((await play(`id=${ID}&pid=${pid}`)).playback_url);
    const bytes = await readBytes(stream.body!, 3 * PACKET_SIZE);
    await stream.body!.cancel();
    return bytes;
  }
});

describe('stop', () => {
  it('ends the stream cleanly, and once only', async () => {
    const { play, json, engine } = await start();
    const { playback_url, command_url, stat_url } = await play(`id=${ID}&pid=p`);
    const stream = await fetch(playback_url);
    await readBytes(stream.body!, 1);
    expect(await json(`${command_url}?method=stop`)).toEqual({ response: 'ok', error: null });
    await readBytes(stream.body!, Infinity);
    expect(await json(`${command_url}?method=stop`)).toEqual(UNKNOWN);
    expect(await json(stat_url)).toEqual(UNKNOWN);
    expect((await fetch(playback_url)).status).toBe(500);
    expect(engine.context.metrics.snapshot()).toMatchObject({
      stops: 2,
      stopsOfUnknownSessions: 1,
      readers: { open: 0 },
      sessions: { stopped: 1, active: 0 },
    });
  });

  it('can hang or fail', async () => {
    const { play, json, engine } = await start({ stopError: 'internal error' });
    const { command_url } = await play(`id=${ID}&pid=p`);
    expect(await json(`${command_url}?method=stop`)).toEqual({ response: null, error: 'internal error' });
    engine.context.faults.set('*', { stopHangs: true });
    await expect(fetch(`${command_url}?method=stop`, { signal: AbortSignal.timeout(150) })).rejects.toThrow();
  });
});

describe('second player of the same content', () => {
  it('ends the stream of the first, whose URLs answer with an unknown session', async () => {
    const { play, json } = await start();
    const first = await play(`id=${ID}&pid=p`);
    const stream = await fetch(first.playback_url);
    await readBytes(stream.body!, 1);
    const second = await play(`id=${ID}&pid=q`);
    await readBytes(stream.body!, Infinity);
    expect(await json(first.stat_url)).toEqual(UNKNOWN);
    expect((await json(second.stat_url)).response.playback_session_id).toBe(second.playback_session_id);
  });
});

describe('engine with a fault', () => {
  it('hangs: keeps connections open, sends nothing and counts the requests', async () => {
    const { url, engine } = await start();
    engine.context.faults.set('*', { hangAll: true });
    await expect(fetch(`${url}/server/api?api_version=3&method=get_status`, { signal: AbortSignal.timeout(150) })).rejects.toThrow(
      /timeout/i,
    );
    expect(engine.context.metrics.requestsWhileHung).toBe(1);
    engine.context.faults.clear();
    expect((await fetch(`${url}/server/api?api_version=3&method=get_status`)).status).toBe(200);
  });

  it('refuses connections, then accepts them again on the same port', async () => {
    const { url, engine, lines } = await start();
    engine.context.faults.set('*', { refuse: true });
    await expect(fetch(url)).rejects.toThrow();
    engine.context.faults.clear();
    while (lines.filter((line) => line.includes('(http)')).length < 2) await new Promise(setImmediate);
    expect((await fetch(`${url}/server/api?api_version=3&method=get_status`)).status).toBe(200);
  });

  it('resets connections, or answers 503', async () => {
    const { url, engine } = await start();
    engine.context.faults.set('*', { unavailable: true });
    expect((await fetch(url)).status).toBe(503);
    engine.context.faults.set('*', { resetConnections: true });
    await expect(fetch(url, { headers: { connection: 'close' } }).then(() => fetch(url))).rejects.toThrow();
  });

  it('answers while it is offline', async () => {
    const { json, engine } = await start();
    engine.context.faults.set('*', { connected: false });
    expect(await json('/server/api?api_version=3&method=get_network_connection_status')).toEqual({ result: { connected: false } });
  });
});
