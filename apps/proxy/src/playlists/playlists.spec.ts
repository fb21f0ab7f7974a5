import 'reflect-metadata';
import { once } from 'node:events';
import { type Server, createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { DetailExceptionFilter, SILENT_LOG } from '@acexy/service-kit';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AccessSettings } from '../http/access-settings.js';
import { HttpSettings } from '../http/http-settings.js';
import { PlaylistSettings } from './playlist-settings.js';
import { PlaylistsController } from './playlists.controller.js';

const ID = 'a'.repeat(40);

describe('GET /playlist.m3u', () => {
  let source: Server;
  let origin: string;
  let app: NestExpressApplication;
  const asked: string[] = [];
  const held: ServerResponse[] = [];

  beforeAll(async () => {
    source = createServer((incoming, response) => {
      asked.push(incoming.url ?? '');
      switch (incoming.url) {
        case '/tv/list.m3u':
          return response.end(`#EXTM3U\n#EXTINF:-1,One\nacestream://${ID}\n`);
        case '/tv/moved.m3u':
          return response.writeHead(302, { location: '/tv/list.m3u' }).end();
        case '/tv/elsewhere.m3u':
          return response.writeHead(302, { location: '/private' }).end();
        case '/tv/round.m3u':
          return response.writeHead(302, { location: '/tv/round.m3u' }).end();
        case '/tv/slow.m3u':
          return void held.push(response);
        case '/tv/page.m3u':
          return response.end('<html>');
        default:
          return response.writeHead(404).end();
      }
    }).listen(0, '127.0.0.1');
    await once(source, 'listening');
    origin = `http://127.0.0.1:${(source.address() as AddressInfo).port}`;
    const module = await Test.createTestingModule({
      controllers: [PlaylistsController],
      providers: [
        { provide: PlaylistSettings, useValue: { playlistSources: `${origin}/tv/` } },
        { provide: AccessSettings, useValue: {} },
        { provide: HttpSettings, useValue: { mediaCorsOrigins: '*' } },
      ],
    }).compile();
    app = module.createNestApplication<NestExpressApplication>({ bodyParser: false });
    app.useGlobalFilters(new DetailExceptionFilter(SILENT_LOG));
    await app.init();
  });
  afterAll(async () => {
    await app.close();
    source.closeAllConnections();
    source.close();
  });

  const get = (path: string) => request(app.getHttpServer()).get(`/playlist.m3u?url=${encodeURIComponent(origin + path)}`);

  it.each(['/tv/list.m3u', '/tv/moved.m3u'])('gives %s with links to this proxy under the address that the viewer uses', async (path) => {
    const parts: Buffer[] = [];
    const reply = await get(path)
      .buffer()
      .parse(
        (incoming, done) => void incoming.on('data', (part: Buffer) => parts.push(part)).on('end', () => done(null, Buffer.concat(parts))),
      )
      .set('Host', 'tv:8080')
      .set('X-Forwarded-Proto', 'https')
      .expect(200)
      .expect('Content-Type', 'audio/x-mpegurl');
    expect((reply.body as Buffer).toString()).toBe(`#EXTM3U\n#EXTINF:-1,One\nhttps://tv:8080/ace/getstream?id=${ID}\n`);
  });

  it.each([
    ['/tv/elsewhere.m3u', 502],
    ['/tv/round.m3u', 502],
    ['/tv/page.m3u', 502],
    ['/tv/none.m3u', 502],
    ['/private', 403],
    ['/tv/../private', 403],
  ])('answers %s with %i', async (path, status) => {
    await get(path).expect(status);
  });

  it('downloads at most eight playlists at a time, and answers further requests with 503 and Retry-After', async () => {
    const waiting = Array.from({ length: 8 }, () => get('/tv/slow.m3u').then(({ status }) => status));
    while (held.length < 8) await new Promise((resolve) => setImmediate(resolve));
    await get('/tv/list.m3u').expect(503).expect('Retry-After', '5');
    for (const response of held) response.end('#EXTM3U\n');
    expect(await Promise.all(waiting)).toEqual(Array(8).fill(200));
    await get('/tv/list.m3u').expect(200);
  });

  it('never downloads what is not allowed', () => expect(asked).not.toContain('/private'));

  it('says what is wrong with the request, and downloads nothing for HEAD', async () => {
    const server = app.getHttpServer();
    await request(server).get('/playlist.m3u').expect(400);
    await request(server).get('/playlist.m3u?url=file:///etc/passwd').expect(400);
    const before = asked.length;
    await request(server)
      .head(`/playlist.m3u?url=${encodeURIComponent(`${origin}/tv/list.m3u`)}`)
      .expect(200);
    expect(asked).toHaveLength(before);
  });
});
