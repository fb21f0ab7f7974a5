import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HlsChecker } from '../support/hls-checker.js';
import { HlsPlayer } from '../support/hls-player.js';
import { HAS_NGINX, Nginx } from '../support/nginx.js';
import { Pair, contentId } from '../support/pair.js';
import { freePorts } from '../support/ports.js';
import type { ServiceProcess } from '../support/service-process.js';
import { ViewerStreamChecker } from '../support/viewer-stream-checker.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

/** User agent of a television or old set-top box. Many of them share an address behind a router. */
const AGENT = { 'User-Agent': 'VLC/3.0.18 LibVLC/3.0.18' };

describe('compatibility with players', () => {
  let pair: Pair;
  let contents = 1;
  const sockets: Socket[] = [];
  /** Another proxy of the pair: only IPv6, with a small buffer and a low viewer limit. */
  let strict: ServiceProcess;
  let strictPort: number;

  beforeAll(async () => {
    pair = await Pair.start({
      engines: { SIM_BOOT_MS: '300', SIM_PREBUF_MS: '200', SIM_BITRATE: '16000000', SIM_BURST_SEC: '8' },
      orchestrator: { MIN_REPLICAS: '1', MAX_REPLICAS: '2', MIN_PROVISION_INTERVAL_S: '0.05' },
      proxy: { ACEXY_LINGER: '100ms', ACEXY_HLS_SEGMENT: '2s', ACEXY_M3U8_STREAM_TIMEOUT: '3s', ACEXY_CLIENT_STALL: '3s' },
    });
    [strictPort] = await freePorts(1);
    strict = pair.startProxy(strictPort, {
      ACEXY_LISTEN_ADDR: `[::1]:${strictPort}`,
      ACEXY_CLIENT_STALL: '10m',
      ACEXY_BUFFER_SECONDS: '2',
      ACEXY_MAX_VIEWERS_PER_STREAM: '2',
      ACEXY_DATA_DIR: join(pair.folder, 'strict'),
    });
    await until('an engine', async () => (await pair.engines()).length >= 1);
    await until('the other proxy', async () => (await fetch(`http://[::1]:${strictPort}/health/ready`)).ok);
  });
  afterAll(async () => {
    await strict?.stop();
    await pair?.stop();
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await pair.untilNoStreams();
  });

  const path = (id: string): string => `/ace/getstream?id=${id}`;
  const untilClients = (id: string, count: number) =>
    until(`${count} clients`, async () => (await pair.streamStatus(id)).clients === count);

  /** Sessions that engines started so far, and the active ones. */
  async function sessions(): Promise<{ opened: number; active: number }> {
    const all = await pair.engineMetrics();
    const sum = (pick: (one: (typeof all)[number]['sessions']) => number) => all.reduce((total, one) => total + pick(one.sessions), 0);
    return { opened: sum(({ opened }) => opened), active: sum(({ active }) => active) };
  }

  /** A client that writes HTTP itself. */
  async function connectAndSend(text: string, host = '127.0.0.1', port = pair.proxyPort) {
    const socket = connect({ host, port });
    sockets.push(socket);
    await once(socket, 'connect');
    const received: Buffer[] = [];
    let ended = false;
    socket.on('data', (bytes: Buffer) => received.push(bytes));
    socket.on('close', () => (ended = true)).on('error', () => undefined); // this client closed the connection
    socket.write(text);
    const all = (): Buffer => Buffer.concat(received);
    const head = (): string =>
      all()
        .subarray(0, Math.max(0, all().indexOf('\r\n\r\n')))
        .toString();
    const body = (): Buffer => all().subarray(all().indexOf('\r\n\r\n') + 4);
    const untilBytes = (bytes: number) => until(`${bytes} bytes`, () => Promise.resolve(head() !== '' && body().length >= bytes));
    const untilEnd = () => until('the end of the connection', () => Promise.resolve(ended));
    return { socket, head, body, untilBytes, untilEnd };
  }

  it('HEAD returns only headers in both HTTP versions and does not count as a viewer', async () => {
    const id = contentId(contents++);
    const before = await sessions();
    for (const target of [path(id), `/ace/manifest.m3u8?id=${id}`]) {
      for (const version of ['1.0', '1.1']) {
        const client = await connectAndSend(`HEAD ${target} HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`);
        await client.untilEnd();
        expect(client.head()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
        expect(client.body()).toHaveLength(0);
      }
    }
    expect(await sessions()).toEqual(before);
  });

  it('a Range request on a live stream gets the whole stream: 200, no length, no ranges', async () => {
    const url = pair.streamUrl(contentId(contents++));
    const ranges = ['bytes=0-', 'bytes=1000000-', 'bytes=-500', 'bytes=5-1', 'nonsense'];
    const viewers = await Promise.all(ranges.map((Range) => Viewer.open(url, { headers: { Range } })));
    for (const viewer of viewers) {
      await viewer.untilBytes(100_000);
      expect(viewer.status).toBe(200);
      expect(viewer.response.headers).toMatchObject({ 'accept-ranges': 'none', 'content-type': 'video/MP2T' });
      expect(Object.keys(viewer.response.headers).filter((name) => /length|range$/.test(name))).toEqual([]);
      await viewer.leave();
    }
  });

  it('probes that close early, before the reply, at the headers or after some bytes, share one engine session with the player that follows', async () => {
    const id = contentId(contents++);
    const before = await sessions();
    const first = await connectAndSend(`GET ${path(id)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    first.socket.destroy();
    for (const wanted of [1, 20_000]) {
      const probe = await connectAndSend(`GET ${path(id)} HTTP/1.1\r\nHost: x\r\nUser-Agent: Lavf/59\r\n\r\n`);
      await probe.untilBytes(wanted);
      probe.socket.resetAndDestroy();
    }
    const player = await Viewer.open(pair.streamUrl(id), { headers: AGENT, keep: false });
    await player.untilBytes(1_000_000);
    await untilClients(id, 1);
    // The first probe may leave before the proxy asks an engine. Then there is no session to share.
    const after = await sessions();
    expect(after.active).toBe(1);
    expect(after.opened - before.opened).toBeLessThanOrEqual(2);
    await player.leave();
  });

  it('Connection: close is respected for every reply, also for a stream', async () => {
    const id = contentId(contents++);
    for (const target of ['/ace/status', '/ace/getstream', '/nothing', '/health']) {
      const client = await connectAndSend(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      await client.untilEnd();
      expect(client.head()).toMatch(/\r\nconnection: close/i);
    }
    const stream = await connectAndSend(`GET ${path(id)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await stream.untilBytes(500_000);
    expect(stream.head()).toMatch(/\r\ntransfer-encoding: chunked/i);
  });

  it('an HTTP/1.0 client without a Host header gets unchunked packets, and playlists and segments with a length', async () => {
    const id = contentId(contents++);
    const fetchBody = async (target: string) => {
      const client = await connectAndSend(`GET ${target} HTTP/1.0\r\n\r\n`);
      await client.untilEnd();
      expect(client.head()).not.toMatch(/transfer-encoding/i);
      expect(Number(/content-length: (\d+)/i.exec(client.head())?.[1])).toBe(client.body().length);
      return client.body();
    };
    const stream = await connectAndSend(`GET ${path(id)} HTTP/1.0\r\n\r\n`);
    await stream.untilBytes(188 * 1000);
    expect(stream.head()).not.toMatch(/transfer-encoding|content-length/i);
    for (let at = 0; at + 188 <= 188 * 1000; at += 188) expect(stream.body()[at]).toBe(0x47);
    const [own] = (await fetchBody(`/ace/manifest.m3u8?id=${id}`)).toString().split('\n').slice(-2);
    const [segment] = (await fetchBody(`/ace/${own}`))
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('hls/'));
    expect((await fetchBody(`/ace/${segment}`))[0]).toBe(0x47);
  });

  it('two players with the same address and user agent are two viewers, as TS and as HLS, and one can leave', async () => {
    const id = contentId(contents++);
    const [one, other] = await Promise.all([1, 2].map(() => Viewer.open(pair.streamUrl(id), { headers: AGENT, keep: false })));
    const playlists = await Promise.all(
      [1, 2].map(async () => (await fetch(`${pair.proxyUrl}/ace/manifest.m3u8?id=${id}`, { headers: AGENT })).text()),
    );
    expect(new Set(playlists.map((text) => /hls=([0-9a-f]+)/.exec(text)?.[1])).size).toBe(2);
    expect((await pair.streamStatus(id)).clients).toBe(4);
    expect((await sessions()).active).toBe(1);
    await one.leave();
    const { bytes } = other;
    await other.untilBytes(bytes + 1_000_000);
    await untilClients(id, 1); // the HLS players made no further request
    await other.leave();
  });

  it('IPv6 works on the default address and on a configured one, with an IPv6 Host header', async () => {
    const id = contentId(contents++);
    for (const at of [pair.proxyPort, strictPort]) {
      const viewer = await Viewer.open(`http://[::1]:${at}/ace/getstream?id=${id}`, { keep: false });
      await viewer.untilBytes(200_000);
      await viewer.leave();
    }
    const player = await HlsPlayer.open(`http://[::1]:${pair.proxyPort}/ace/manifest.m3u8?id=${id}`);
    await player.playUntil(new HlsChecker(), 1);
    expect(player.playlistUrl).toContain(`http://[::1]:${pair.proxyPort}/`);
    await expect(fetch(`http://127.0.0.1:${strictPort}/health`)).rejects.toThrow();
  });

  it('a pause longer than ACEXY_CLIENT_STALL closes the connection, and no other viewer notices', async () => {
    const id = contentId(contents++);
    const [paused, other] = await Promise.all([1, 2].map(() => Viewer.open(pair.streamUrl(id), { keep: false })));
    await paused.untilBytes(100_000);
    paused.response.pause();
    await untilClients(id, 1);
    await until('the log has the reason', () => Promise.resolve(pair.proxy.log.includes('"reason":"too-slow"')));
    const { bytes } = other;
    await other.untilBytes(bytes + 1_000_000);
    paused.response.resume();
    await paused.closed;
    expect(paused.ended).toBe(false);
    await other.leave();
  });

  it('a viewer above the limit of a stream gets 503, and is accepted after another one left', async () => {
    const url = `http://[::1]:${strictPort}/ace/getstream?id=${contentId(contents++)}`;
    const [one, other] = await Promise.all([1, 2].map(() => Viewer.open(url, { keep: false })));
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await refused.json()).toMatchObject({ error: expect.stringContaining('too many viewers of this stream') as string });
    expect((await fetch(url.replace('getstream', 'manifest.m3u8'))).status).toBe(503);
    await one.leave();
    const next = await until('room', async () => {
      const viewer = await Viewer.open(url, { keep: false });
      return viewer.status === 200 && viewer;
    });
    const metrics = await (await fetch(`http://[::1]:${strictPort}/metrics`)).text();
    expect(Number(/acexy_viewers_refused_total\{full="stream"\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2);
    await Promise.all([other.leave(), next.leave()]);
  });

  /** @param whilePaused called when the viewer has read nothing for longer than the buffer */
  async function pauseAndContinue(playUrl: string, whilePaused: () => void = () => undefined): Promise<void> {
    const id = contentId(contents++);
    const origin = `http://[::1]:${strictPort}`;
    const checker = new ViewerStreamChecker({ fromJoin: true });
    const viewer = await Viewer.open(playUrl + path(id), { keep: false, onChunk: (chunk) => checker.push(chunk) });
    await viewer.untilBytes(500_000);
    viewer.response.pause();
    // The socket buffers take some seconds. After that the viewer reads nothing while the proxy keeps two seconds of the stream.
    let sent = -1;
    await until('the viewer reads nothing', async () => {
      const before = sent;
      sent = (await pair.streamStatus(id, origin)).viewers[0].bytes_sent;
      return new Promise<boolean>((resolve) => setTimeout(() => resolve(sent === before), 400));
    });
    const from = (await pair.streamStatus(id, origin)).bytes_in;
    await until('the stream continues', async () => (await pair.streamStatus(id, origin)).bytes_in > from + 4_000_000);
    expect((await pair.streamStatus(id, origin)).viewers).toMatchObject([{ bytes_sent: sent, skips: 0 }]);
    whilePaused();
    viewer.response.resume();
    await until('it has caught up', async () => (await pair.streamStatus(id, origin)).viewers[0].skips === 1);
    // What the socket buffers held comes first.
    await until('the viewer is at the newer keyframe', () => Promise.resolve(checker.verdict().breaks.length > 0));
    await viewer.untilBytes(viewer.bytes + 2_000_000);
    const { ts, breaks } = checker.verdict();
    expect(ts.faults).toEqual([]);
    expect(breaks).toHaveLength(1);
    await viewer.leave();
  }

  it('after a pause longer than the buffer the viewer continues on the same connection, at a keyframe, without an error', async () => {
    await pauseAndContinue(`http://[::1]:${strictPort}`);
  });

  it.skipIf(!HAS_NGINX)('the same behind nginx with its default settings, which writes nothing of the stream to disk', async () => {
    const nginx = await Nginx.inFrontOf(`http://[::1]:${strictPort}`, pair.folder);
    try {
      await pauseAndContinue(nginx.url, () => expect(nginx.spooledFiles()).toEqual([]));
    } finally {
      await nginx.stop();
    }
  });
});
