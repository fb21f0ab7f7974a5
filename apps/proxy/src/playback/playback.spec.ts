import 'reflect-metadata';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { EngineRefusedError, EngineStillPreparingError } from '@acexy/engine-client';
import { DetailExceptionFilter, Log, SILENT_LOG } from '@acexy/service-kit';
import type { Request, Response } from 'express';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '@acexy/service-kit/primitives';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { Block } from '../broadcast/buffer/block-pool.js';
import { HlsService } from '../hls/hls.service.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { Alternatives } from '../sessions/start/alternatives.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { StreamSession } from '../sessions/stream-session.js';
import { CONTENT_ID, INFOHASH, makeSessions, packets } from '../../../../test/doubles/proxy/sessions.fixture.js';
import { HttpSettings } from '../http/http-settings.js';
import { HlsSettings } from '../hls/hls-settings.js';
import { ViewerSettings } from '../sessions/viewer-settings.js';
import { playbackErrorReply } from '../app/error-reply.js';
import { PlaybackController } from './playback.controller.js';
import { SocketSink } from './socket-sink.js';
import { ViewerService } from './viewer.service.js';

describe('the HTTP interface for players', () => {
  let app: NestExpressApplication;
  let sessions: ReturnType<typeof makeSessions<SystemClock>>;
  let port: number;
  const sockets: Socket[] = [];
  const settings = { m3u8: false, maxViewers: 0, maxViewersPerStream: 0 };

  beforeEach(async () => {
    // Real time, because real sockets are tested.
    Object.assign(settings, { maxViewers: 0, maxViewersPerStream: 0 });
    sessions = makeSessions(1, new SystemClock(), Object.assign(settings, { emptyTimeoutMs: 100 }));
    const module = await Test.createTestingModule({
      controllers: [PlaybackController],
      providers: [
        ViewerService,
        {
          provide: HlsService,
          useValue: { answer: (_request: Request, response: Response) => response.send('#EXTM3U\n'), statusOf: () => null },
        },
        { provide: HlsSettings, useValue: settings },
        { provide: ViewerSettings, useValue: settings },
        { provide: SessionRegistry, useValue: sessions.registry },
        { provide: Alternatives, useValue: new Alternatives(sessions.registry, sessions.clock, 15_000) },
        { provide: HttpSettings, useValue: { mediaCorsOrigins: '*' } },
        { provide: ProxyMetrics, useValue: new ProxyMetrics() },
        { provide: Log, useValue: SILENT_LOG },
      ],
    }).compile();
    app = module.createNestApplication<NestExpressApplication>({ forceCloseConnections: true, bodyParser: false });
    app.useGlobalFilters(new DetailExceptionFilter(SILENT_LOG, playbackErrorReply));
    await app.listen(0);
    port = (app.getHttpServer().address() as AddressInfo).port;
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await sessions.registry.shutdown(100);
    await app.close();
  });

  /** A raw HTTP client that keeps every byte it receives. */
  function raw(text: string) {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    const heard: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => heard.push(bytes));
    socket.on('error', () => undefined); // a reset is one of the ways in which these connections end
    socket.write(text);
    const all = (): Buffer => Buffer.concat(heard);
    const until = async (condition: (bytes: Buffer) => boolean): Promise<Buffer> => {
      while (!condition(all()))
        await Promise.race([once(socket, 'data'), once(socket, 'end').then(() => Promise.reject(new Error('ended')))]);
      return all();
    };
    return { socket, all, until };
  }

  const bodyOf = (reply: Buffer): Buffer => reply.subarray(reply.indexOf('\r\n\r\n') + 4);
  const headOf = (reply: Buffer): string => reply.subarray(0, reply.indexOf('\r\n\r\n')).toString();
  const hasStream = (reply: Buffer): boolean => reply.includes('\r\n\r\n') && bodyOf(reply).length > 188;
  const viewers = (): number => sessions.registry.sessions().reduce((sum, { viewerCount }) => sum + viewerCount, 0);
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await sleep(1);
  };

  /** The engine ends the stream, and no other engine is available. */
  const sourceEnds = (): void => {
    sessions.engines[0].mediaStreams[0].end();
    sessions.selector.engines.length = 0;
  };

  it('answers 200 with video/MP2T, without a length, not cacheable, for one connection', async () => {
    const client = raw(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const head = headOf(await client.until(hasStream));
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head).toMatch(/\r\ncontent-type: video\/MP2T(\r\n|$)/i);
    expect(head).toMatch(/\r\ncache-control: no-store(\r\n|$)/i);
    expect(head).toMatch(/\r\nconnection: close(\r\n|$)/i);
    expect(head).toMatch(/\r\ntransfer-encoding: chunked(\r\n|$)/i);
    expect(head).not.toMatch(/content-length/i);
  });

  it('sends the unchanged bytes of the stream chunked to HTTP/1.1, and ends with the last chunk', async () => {
    const client = raw(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until(hasStream);
    const more = packets(300);
    sessions.engines[0].mediaStreams[0].write(more);
    sourceEnds();
    await once(client.socket, 'end');
    expect(dechunk(bodyOf(client.all()))).toEqual(Buffer.concat([packets(), more]));
  });

  it('sends the unchanged bytes unframed to HTTP/1.0, and ends with the connection', async () => {
    const client = raw(`GET /ace/getstream/?infohash=${INFOHASH.toUpperCase()} HTTP/1.0\r\n\r\n`);
    await client.until(hasStream);
    const more = packets(300);
    sessions.engines[0].mediaStreams[0].write(more);
    sourceEnds();
    await once(client.socket, 'end');
    expect(headOf(client.all())).not.toMatch(/transfer-encoding/i);
    expect(bodyOf(client.all())).toEqual(Buffer.concat([packets(), more]));
  });

  it.each([
    ['closes half of its connection', (socket: Socket) => void socket.end()],
    ['resets its connection', (socket: Socket) => void socket.resetAndDestroy()],
    ['closes its connection', (socket: Socket) => void socket.destroy()],
  ])('removes a viewer that %s at once, whether it watches or waits', async (_how, leave) => {
    const client = raw(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until(hasStream);
    expect(viewers()).toBe(1);
    leave(client.socket);
    await until(() => viewers() === 0);
    sessions.engines[0].start = 'waits';
    const waiting = raw(`GET /ace/getstream?id=${'c'.repeat(40)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => viewers() === 1);
    leave(waiting.socket);
    await until(() => viewers() === 0);
    expect(waiting.all()).toHaveLength(0);
  });

  it('needs no memory for a viewer that took nothing any more as soon as the viewer resets its connection', async () => {
    const [hold, release] = [vi.spyOn(Block.prototype, 'hold'), vi.spyOn(Block.prototype, 'release')];
    const held = (): number => hold.mock.calls.length - release.mock.calls.length;
    const { write } = SocketSink.prototype;
    let freed = 0;
    vi.spyOn(SocketSink.prototype, 'write').mockImplementation(function (this: SocketSink, bytes, done) {
      write.call(this, bytes, (error) => {
        const before = held();
        done(error);
        if (client.socket.destroyed) freed += before - held();
      });
    });
    const client = raw(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until(hasStream);
    client.socket.pause();
    const [{ broadcast }] = sessions.registry.sessions();
    while (broadcast?.viewersStalledFor(100).length === 0) {
      sessions.engines[0].mediaStreams[0].write(packets(1000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.resetAndDestroy();
    await until(() => viewers() === 0 && freed > 0);
    expect(freed).toBe(1);
    vi.restoreAllMocks();
  });

  it('disconnects a viewer for which the code of the proxy throws, counts it, and keeps the others', async () => {
    const metrics = app.get(ProxyMetrics);
    const counted = vi.spyOn(metrics, 'count');
    vi.spyOn(metrics, 'viewerJoined').mockImplementationOnce(() => {
      throw new Error('broken');
    });
    const clients = [1, 2].map(() => raw(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`));
    await Promise.all([
      Promise.any(clients.map((client) => client.until(hasStream))),
      Promise.any(clients.map(({ socket }) => once(socket, 'end'))),
    ]);
    expect([viewers(), clients.filter((client) => hasStream(client.all()))]).toEqual([1, [expect.anything()]]);
    expect(counted.mock.calls).toContainEqual([{ type: 'exception', ended: 'viewer' }]);
    vi.restoreAllMocks();
  });

  it('keeps running when the end of a viewer throws', async () => {
    const client = raw(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until(hasStream);
    const counted = vi.spyOn(app.get(ProxyMetrics), 'count');
    vi.spyOn(StreamSession.prototype, 'remove').mockImplementationOnce(() => {
      throw new Error('broken');
    });
    client.socket.destroy();
    await until(() => counted.mock.calls.length > 0);
    expect(counted.mock.calls).toContainEqual([{ type: 'exception', ended: 'viewer' }]);
    vi.restoreAllMocks();
  });

  it('answers 502 with the message of the engine when it refuses, and sends nothing before', async () => {
    sessions.engines[0].start = new EngineRefusedError('start', 'failed to load content');
    const reply = await request(app.getHttpServer()).get(`/ace/getstream?id=${CONTENT_ID}`).expect(502);
    expect(reply.body).toMatchObject({
      error: expect.stringContaining('failed to load content') as string,
      engines: [{ engine: 'engine-1', kind: 'refused', reason: 'failed to load content' }],
    });
  });

  it('answers 503 with a reason and Retry-After when no engine is available', async () => {
    sessions.selector.engines.length = 0;
    const reply = await request(app.getHttpServer()).get(`/ace/getstream?id=${CONTENT_ID}`).expect(503).expect('Retry-After', '7');
    expect(reply.body).toMatchObject({ error: 'no engines available: all are taken', retry_after: 7 });
  });

  it('answers 503 with a reason and Retry-After at the maximum number of viewers, and shows the limit in the status', async () => {
    settings.maxViewersPerStream = 1;
    const client = raw(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until(hasStream);
    const server = app.getHttpServer();
    const reply = await request(server).get(`/ace/getstream?id=${CONTENT_ID}`).expect(503).expect('Retry-After', '5');
    const text = 'too many viewers of this stream: the limit is 1 (ACEXY_MAX_VIEWERS_PER_STREAM)';
    expect(reply.body).toMatchObject({ error: text, detail: text, retry_after: 5 });
    const { body } = await request(server).get('/ace/status');
    expect(body).toMatchObject({ clients: 1, limits: { clients: null, clients_per_stream: 1 }, sessions: [{ hls: null }] });
  });

  it('answers 504 when the engines stay silent', async () => {
    expect(playbackErrorReply(await silence())).toMatchObject({
      status: 504,
      body: { engines: [{ kind: 'silent', reason: 'start timeout' }] },
    });
  });

  it('answers 503 when the proxy is shutting down', async () => {
    await sessions.registry.shutdown(10);
    await request(app.getHttpServer()).get(`/ace/getstream?id=${CONTENT_ID}`).expect(503).expect('Retry-After', '5');
  });

  it('answers HEAD with the headers and starts nothing', async () => {
    const reply = await request(app.getHttpServer()).head(`/ace/getstream?id=${CONTENT_ID}`).expect(200);
    expect(reply.headers['content-type']).toBe('video/MP2T');
    expect(reply.headers['content-length']).toBeUndefined();
    expect(sessions.selector.requests).toHaveLength(0);
    await request(app.getHttpServer()).head('/ace/getstream').expect(400);
  });

  it('answers the HLS playlist with ACEXY_M3U8', async () => {
    settings.m3u8 = true;
    const reply = await request(app.getHttpServer()).get(`/ace/getstream?id=${CONTENT_ID}`).expect(200);
    settings.m3u8 = false;
    expect(reply.text).toBe('#EXTM3U\n');
  });

  it('answers 405 with Allow for other methods, and 404 for unknown paths', async () => {
    await request(app.getHttpServer()).post(`/ace/getstream?id=${CONTENT_ID}`).expect(405).expect('Allow', 'GET, HEAD');
    await request(app.getHttpServer()).put('/ace/status').expect(405);
    await request(app.getHttpServer()).get('/ace/manifest.m3u8').expect(404);
  });

  it('answers 400 naming the parameter for a bad request, and keeps the connection usable', async () => {
    const client = raw(`GET /ace/getstream?id=xyz HTTP/1.1\r\nHost: x\r\n\r\n`);
    const bad = await client.until((reply) => reply.includes('hexadecimal'));
    expect(headOf(bad)).toMatch(/^HTTP\/1\.1 400 /);
    client.socket.write(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until((reply) => reply.includes('video/MP2T'));
  });

  it('shows the status of all streams, or of one by content id or infohash', async () => {
    const server = app.getHttpServer();
    expect((await request(server).get('/ace/status').expect(200)).body).toMatchObject({ status: 'ok', streams: 0 });
    await request(server).get(`/ace/status?id=${CONTENT_ID}`).expect(404);
    const client = raw(`GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until(hasStream);
    expect((await request(server).get('/ace/status')).body).toMatchObject({ status: 'ok', streams: 1, clients: 1 });
    for (const query of [`id=${CONTENT_ID}`, `infohash=${INFOHASH}`]) {
      const { body } = await request(server).get(`/ace/status?${query}`).expect(200);
      expect(body).toMatchObject({
        clients: 1,
        stream: { key_type: 'content_id', key: CONTENT_ID },
        state: 'playing',
        infohash: INFOHASH,
        stat_url: expect.stringContaining('/stat/') as string,
      });
    }
  });

  it('rejects a stream request while a reply on the same connection is unfinished', async () => {
    const client = raw(
      `GET /ace/getstream?id=${CONTENT_ID} HTTP/1.1\r\nHost: x\r\n\r\nGET /ace/getstream?id=${'c'.repeat(40)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    await client.until(hasStream);
    expect(sessions.registry.sessions()).toHaveLength(1);
    sourceEnds();
    await once(client.socket, 'end');
    expect(dechunk(bodyOf(client.all()))).toEqual(packets());
  });
});

/** The error of a start whose engine stays silent, without waiting in real time. */
async function silence(): Promise<Error> {
  const { registry, clock, engines } = makeSessions(1, new FakeClock());
  engines[0].media = new EngineStillPreparingError('media', 'start timeout');
  const outcome = registry
    .subscribe({ selector: { type: 'content_id', value: CONTENT_ID }, variant: {}, hints: {} })
    .playing()
    .then(
      () => new Error('it played'),
      (error: Error) => error,
    );
  await clock.advanceAndSettle(61_000);
  return outcome;
}

/** Decodes a chunked body; fails on anything that is not exactly valid. */
function dechunk(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    expect(Number.isNaN(size)).toBe(false);
    at = lineEnd + 2;
    expect(body.toString('latin1', at + size, at + size + 2)).toBe('\r\n');
    if (size === 0) {
      expect(body.length).toBe(at + 2);
      return Buffer.concat(parts);
    }
    parts.push(body.subarray(at, at + size));
    at += size + 2;
  }
}
