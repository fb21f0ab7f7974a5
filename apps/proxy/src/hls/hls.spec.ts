import 'reflect-metadata';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { DetailExceptionFilter, Log, SILENT_LOG } from '@acexy/service-kit';
import { register } from 'prom-client';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SyntheticStream } from '../../../../test/doubles/proxy/broadcast.fixture.js';
import { Clock } from '@acexy/service-kit/primitives';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { playbackErrorReply } from '../app/error-reply.js';
import { Alternatives } from '../sessions/start/alternatives.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { ViewerSubscription } from '../sessions/viewer-subscription.js';
import { Segmenter } from './segmenter.js';
import { CONTENT_ID, INFOHASH, byId, makeSessions, watch } from '../../../../test/doubles/proxy/sessions.fixture.js';
import { AccessSettings } from '../http/access-settings.js';
import { HttpSettings } from '../http/http-settings.js';
import { cleanRequestTarget } from '../http/request-target.js';
import { HlsSettings } from './hls-settings.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { HlsController } from './hls.controller.js';
import { HlsService } from './hls.service.js';

/** Shorter than any silence that would count as a lost source. */
const IDLE_MS = 2000;
const MANIFEST = `/ace/manifest.m3u8?id=${CONTENT_ID}`;

describe('HLS', () => {
  let app: NestExpressApplication;
  let sessions: ReturnType<typeof makeSessions<FakeClock>>;
  let clock: FakeClock;
  const made = new SyntheticStream({ videoPackets: 8 });
  const settings = { hlsSegmentMs: 0, m3u8StreamTimeoutMs: 0, hlsBufferMaxBytes: 0 };

  beforeEach(async () => {
    clock = new FakeClock();
    sessions = makeSessions(2, clock);
    register.clear();
    const metrics = new ProxyMetrics();
    metrics.observeStreams({ snapshots: () => sessions.registry.snapshots(), budget: sessions.registry.budget, hlsBytes: () => 0 });
    Object.assign(settings, { hlsSegmentMs: 4000, m3u8StreamTimeoutMs: IDLE_MS, hlsBufferMaxBytes: 64 * 1024 * 1024 });
    const module = await Test.createTestingModule({
      controllers: [HlsController],
      providers: [
        HlsService,
        { provide: SessionRegistry, useValue: sessions.registry },
        { provide: Alternatives, useValue: new Alternatives(sessions.registry, clock, 15_000) },
        { provide: HlsSettings, useValue: settings },
        { provide: AccessSettings, useValue: {} },
        { provide: Clock, useValue: clock },
        { provide: Log, useValue: SILENT_LOG },
        { provide: HttpSettings, useValue: { mediaCorsOrigins: '*' } },
        { provide: ProxyMetrics, useValue: metrics },
      ],
    }).compile();
    app = module.createNestApplication<NestExpressApplication>({ forceCloseConnections: true, bodyParser: false });
    app.useGlobalFilters(new DetailExceptionFilter(SILENT_LOG, playbackErrorReply));
    app.use(cleanRequestTarget);
    await app.listen(0);
  });
  afterEach(async () => {
    const down = sessions.registry.shutdown(100);
    await clock.advanceAndSettle(1000);
    await down;
    await app.close();
  });

  const server = () => app.getHttpServer();
  const viewers = () => sessions.registry.sessions().reduce((sum, { viewerCount }) => sum + viewerCount, 0);
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await sleep(1);
  };
  const feed = (seconds: number): void => void sessions.engines[0].mediaStreams[0].write(made.frames(25 * seconds));

  /** Opens the stream as a player does: gets the master playlist and the URL of its media playlist. */
  async function open(path = MANIFEST): Promise<{ text: string; own: string }> {
    const asked = request(server()).get(path);
    const reply = asked.then((value) => value);
    await until(() => sessions.engines[0].mediaStreams.length > 0);
    feed(20);
    const { text, status, headers } = await reply;
    expect([status, headers['content-type']]).toEqual([200, 'application/vnd.apple.mpegurl']);
    const [, , , line] = text.split('\n');
    return { text, own: new URL(line, `http://x${path}`).href.slice('http://x'.length) };
  }

  /** Requests the first segment and takes nothing of it. @returns the connection, on the side of the proxy */
  async function stalledDownload(own: string): Promise<Socket> {
    const uri = (await request(server()).get(own)).text.split('\n').find((line) => line.startsWith('hls/'))!;
    const accepted = once(server(), 'connection') as Promise<[Socket]>;
    connect({ port: (server().address() as AddressInfo).port, host: '127.0.0.1' })
      .on('error', () => undefined) // the proxy resets it
      .pause()
      .write(`GET /ace/${uri} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const [socket] = await accepted;
    // On one machine the socket buffers hold a whole segment.
    Object.assign(socket, { _write: () => undefined, _writev: () => undefined });
    await until(() => socket.writableLength > 0);
    return socket;
  }

  it('gives each viewer a master playlist, then a media playlist of its own, with relative URLs only', async () => {
    const { text, own } = await open();
    expect(text).toMatch(/^#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=\d+\nmanifest\.m3u8\?id=a{40}&hls=[0-9a-f]{24}\n$/);
    const media = await request(server()).get(own).expect(200).expect('Access-Control-Allow-Origin', '*');
    const [uri] = media.text.split('\n').filter((line) => line.startsWith('hls/'));
    const segment = await request(server()).get(`/ace/${uri}`).expect(200).expect('Content-Type', 'video/MP2T');
    expect(Number(segment.headers['content-length'])).toBe((segment.body as Buffer).length);
    expect((segment.body as Buffer).length % 188).toBe(0);
    await request(server()).head(`/ace/${uri}`).expect(200).expect('Content-Length', segment.headers['content-length']);
  });

  it('carries a token of the query into every URL; a token in the path applies to relative URLs anyway', async () => {
    const { own } = await open(`${MANIFEST}&token=the-token-of-a-viewer`);
    expect(own).toContain('&token=the-token-of-a-viewer&hls=');
    const media = await request(server()).get(own).expect(200);
    const uris = media.text.split('\n').filter((line) => line.startsWith('hls/'));
    expect(uris.length).toBeGreaterThan(2);
    for (const uri of uris) expect(uri).toMatch(/\.ts\?id=[0-9a-f]{40}&token=the-token-of-a-viewer$/);
    await request(server()).get(`/ace/${uris[0]}`).expect(200);
  });

  it.each([
    `/ace/manifest.m3u8/?id=${CONTENT_ID}`,
    `//ace//manifest.m3u8//?Content_ID=%20${CONTENT_ID.toUpperCase()}%0A|User-Agent=x&hls=y`,
  ])('gives URLs that also work after %s, and name the content in one spelling', async (path) => {
    const { own } = await open(path);
    expect(own).toMatch(new RegExp(`/ace/+manifest\\.m3u8\\?id=${CONTENT_ID}&hls=[0-9a-f]{24}$`));
    const media = await request(server()).get(own).expect(200);
    expect(media.text).toMatch(new RegExp(`\nhls/.*\\?id=${CONTENT_ID}\n`));
  });

  it('serves all viewers of a content from one engine session, by content id or infohash', async () => {
    const { own } = await open();
    await request(server()).get(`/ace/manifest.m3u8?infohash=${INFOHASH}`).expect(200);
    await request(server()).get(own).expect(200);
    expect(sessions.registry.sessions()).toHaveLength(1);
    expect(viewers()).toBe(2);
    expect(sessions.engines[0].starts).toHaveLength(1);
  });

  it('removes a viewer that requests nothing for a while, and ends the stream with the last viewer', async () => {
    const { own } = await open();
    await clock.advanceAndSettle(IDLE_MS - 100);
    await request(server()).get(own).expect(200);
    await clock.advanceAndSettle(IDLE_MS - 100);
    expect(viewers()).toBe(1);
    await clock.advanceAndSettle(100);
    expect(viewers()).toBe(0);
    await clock.advanceAndSettle(10_000);
    expect(sessions.registry.sessions()).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('gives a viewer that returns later the stream again, with higher sequence numbers', async () => {
    const { own } = await open();
    const number = (text: string, tag: string) => Number(new RegExp(`#EXT-X-${tag}:(\\d+)`).exec(text)?.[1]);
    const before = (await request(server()).get(own)).text;
    await clock.advanceAndSettle(IDLE_MS + 10_000);
    expect(sessions.registry.sessions()).toHaveLength(0);
    const again = request(server()).get(own).expect(200);
    const reply = again.then((value) => value);
    await until(
      () =>
        sessions.engines.some(({ mediaStreams }) =>
          mediaStreams.some(
            (media) => media.listenerCount('data') > 0 && !media.destroyed && media.writableLength === 0 && media.readableFlowing === true,
          ),
        ) && sessions.registry.sessions().length === 1,
    );
    for (const engine of sessions.engines) engine.mediaStreams.at(-1)?.write(new SyntheticStream({ videoPackets: 8 }).frames(500));
    const after = (await reply).text;
    expect(number(after, 'MEDIA-SEQUENCE')).toBeGreaterThan(number(before, 'MEDIA-SEQUENCE') + 6);
    expect(number(after, 'DISCONTINUITY-SEQUENCE')).toBeGreaterThan(number(before, 'DISCONTINUITY-SEQUENCE'));
    expect(viewers()).toBe(1);
  });

  it('removes a viewer that leaves while it waits at once, and keeps nothing of it', async () => {
    sessions.engines[0].start = 'waits';
    const socket = connect({ port: (server().address() as AddressInfo).port, host: '127.0.0.1' });
    socket.write(`GET ${MANIFEST} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => viewers() === 1);
    socket.destroy();
    await once(socket, 'close');
    await until(() => viewers() === 0);
  });

  it('answers HEAD with headers and starts nothing, a bad request with 400, an unknown segment with 404', async () => {
    await request(server()).head(MANIFEST).expect(200).expect('Content-Type', 'application/vnd.apple.mpegurl');
    await request(server()).get('/ace/manifest.m3u8?id=x').expect(400);
    for (const file of ['1.ts', 'x.ts', '..%2f1.ts', '1.m3u8']) await request(server()).get(`/ace/hls/nowhere/${file}`).expect(404);
    await request(server()).post(MANIFEST).expect(405).expect('Allow', 'GET, HEAD');
    expect(sessions.selector.requests).toHaveLength(0);
  });

  it('answers 503 when no engine is available, and 502 when the engines refuse the content', async () => {
    sessions.selector.engines.length = 0;
    await request(server()).get(MANIFEST).expect(503).expect('Retry-After', '7');
    expect(viewers()).toBe(0);
  });

  it('answers 504 for a stream without a keyframe, and ends it', async () => {
    const asked = request(server())
      .get(MANIFEST)
      .then((value) => value);
    await until(() => sessions.engines[0].mediaStreams.length > 0);
    sessions.engines[0].mediaStreams[0].write(new SyntheticStream({ gop: 1e9 }).frames(50).subarray(188 * 40));
    await until(() => sessions.registry.sessions()[0].broadcast !== null);
    await clock.advanceAndSettle(31_000);
    expect((await asked).status).toBe(504);
    expect(viewers()).toBe(0);
  });

  it('removes a player that never requests its media playlist sooner than one that watches', async () => {
    settings.m3u8StreamTimeoutMs = 60_000;
    const { own } = await open();
    await request(server()).get(MANIFEST).expect(200);
    await request(server()).get(own).expect(200);
    const feeding = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second += 1) {
        feed(1);
        await clock.advanceAndSettle(1000);
      }
    };
    await feeding(14);
    expect(viewers()).toBe(2);
    await feeding(1);
    expect(viewers()).toBe(1);
    await feeding(44);
    expect(viewers()).toBe(1);
    await feeding(1);
    expect(viewers()).toBe(0);
  });

  it('reports the memory of its segments, and disconnects a client that downloads a segment too slowly', async () => {
    const { own } = await open();
    const [{ id }] = sessions.registry.sessions();
    const { segments, bytes } = app.get(HlsService).statusOf(id)!;
    expect([segments, app.get(HlsService).bytes]).toEqual([4, bytes]);
    expect(bytes).toBeGreaterThan(400_000);
    const closed = once(await stalledDownload(own), 'close');
    await clock.advanceAndSettle(IDLE_MS);
    await closed;
    expect(app.get(HlsService).statusOf(id)).toBeNull();
  });

  it('counts a client that takes nothing of a segment as stalled, and disconnects it when the segment has expired', async () => {
    const addHls = vi.spyOn(sessions.registry.budget, 'addHls');
    const { own } = await open();
    const [[, buffer]] = addHls.mock.calls;
    const sockets = [await stalledDownload(own), await stalledDownload(own)];
    const [first, second] = sockets.map((socket) => once(socket, 'close'));
    await clock.advanceAndSettle(999);
    expect(buffer.downloadsStalledFor(1000)).toEqual([]);
    await clock.advanceAndSettle(1);
    const stalled = buffer.downloadsStalledFor(1000);
    expect(stalled).toHaveLength(2);
    stalled[0].leave('too-slow');
    await first;
    await until(() => buffer.downloadsStalledFor(1000).length === 1);
    feed(60);
    await second;
    expect(viewers()).toBe(1);
    vi.restoreAllMocks();
  });

  it('lets a download finish within ten seconds of the end of the stream', async () => {
    settings.m3u8StreamTimeoutMs = 60_000;
    const { own } = await open();
    const download = await stalledDownload(own);
    const closed = once(download, 'close');
    await sessions.registry.sessions()[0].stop('source-lost', 'test');
    await clock.advanceAndSettle(9999);
    expect(download.destroyed).toBe(false);
    await clock.advanceAndSettle(1);
    await closed;
  });

  it('counts its viewers and their bytes like other viewers, but not players that never requested their media playlist', async () => {
    const ends = async (): Promise<Record<string, number>> => {
      const { values } = await register.getSingleMetric('acexy_viewers_ended_total')!.get();
      return Object.fromEntries(values.map(({ labels, value }) => [labels.reason, value]));
    };
    const { own } = await open();
    const uri = (await request(server()).get(own)).text.split('\n').find((line) => line.startsWith('hls/'))!;
    const segment = await request(server()).get(`/ace/${uri}`).buffer().expect(200);
    expect((await register.getSingleMetric('acexy_viewer_bytes_total')!.get()).values[0].value).toBe(
      Number(segment.headers['content-length']),
    );
    await clock.advanceAndSettle(IDLE_MS);
    expect(await ends()).toMatchObject({ removed: 1, 'source-ended': 0 });
    const next = await open();
    await request(server()).get(next.own).expect(200);
    await request(server()).get(MANIFEST).expect(200);
    await sessions.registry.sessions()[0].stop('source-lost', 'test');
    expect(await ends()).toMatchObject({ removed: 1, 'source-ended': 1 });
  });

  it('survives an exception at the end of an idle viewer, and counts it', async () => {
    const { own } = await open();
    await request(server()).get(own).expect(200);
    const counted = vi.spyOn(app.get(ProxyMetrics), 'count');
    vi.spyOn(ViewerSubscription.prototype, 'leave').mockImplementationOnce(() => {
      throw new Error('broken');
    });
    await clock.advanceAndSettle(2 * IDLE_MS);
    expect(counted.mock.calls).toContainEqual([{ type: 'exception', ended: 'viewer' }]);
    vi.restoreAllMocks();
  });

  it('ends only its own viewers when the segmenter throws: other viewers of the stream stay', async () => {
    await open();
    const counted = vi.spyOn(app.get(ProxyMetrics), 'count');
    vi.spyOn(Segmenter.prototype, 'push').mockImplementationOnce(() => {
      throw new Error('broken');
    });
    const other = watch(sessions.registry.subscribe(byId()));
    feed(5);
    await clock.advanceAndSettle(300);
    expect(counted.mock.calls).toContainEqual([{ type: 'exception', ended: 'hls' }]);
    expect([viewers(), other.sink.ended]).toEqual([1, null]);
    vi.restoreAllMocks();
  });

  it('frees the segments with the last viewer', async () => {
    const { own } = await open();
    const uri = (await request(server()).get(own)).text.split('\n').find((line) => line.startsWith('hls/'));
    await request(server()).get(`/ace/${uri}`).expect(200);
    await clock.advanceAndSettle(IDLE_MS);
    await request(server()).get(`/ace/${uri}`).expect(404);
  });
});
