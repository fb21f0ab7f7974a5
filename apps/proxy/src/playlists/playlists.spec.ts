import 'reflect-metadata';
import dns from 'node:dns';
import { once } from 'node:events';
import { type Server, createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { DetailExceptionFilter, SILENT_LOG } from '@acexy/service-kit';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { AccessSettings } from '../http/access-settings.js';
import { HttpSettings } from '../http/http-settings.js';
import { PlaylistSettings } from './playlist-settings.js';
import { fetchPlaylist } from './playlist-fetch.js';
import { PlaylistsController } from './playlists.controller.js';

const ID = 'a'.repeat(40);
const LIST = `#EXTM3U url-tvg="http://epg.example/a.xml.gz"\n#EXTINF:-1,Canal Ñandú €\nacestream://${ID}\n`;
const BOMB = gzipSync(Buffer.alloc(33 * 1024 * 1024, '#'));

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
          return response.end(LIST);
        case '/tv/bare.m3u':
          return response.end(`\ufeffacestream://${ID}\n`);
        case '/tv/utf16le.m3u':
          return response.end(Buffer.from(`\ufeff${LIST}`, 'utf16le'));
        case '/tv/utf16be.m3u':
          return response.end(Buffer.from(`\ufeff${LIST}`, 'utf16le').swap16());
        case '/tv/utf16le-without-mark.m3u':
          return response.end(Buffer.from(LIST, 'utf16le'));
        case '/tv/utf16be-without-mark.m3u':
          return response.end(Buffer.from(LIST, 'utf16le').swap16());
        case '/tv/list.m3u.gz':
          return response.end(gzipSync(LIST));
        case '/tv/gzip-said.m3u':
          return response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(LIST));
        case '/tv/gzip-twice.m3u.gz':
          return response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(gzipSync(Buffer.from(LIST, 'utf16le'))));
        case '/tv/gzip-wrongly-said.m3u':
          return response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(LIST);
        case '/tv/damaged.m3u.gz':
          return response.end(gzipSync(LIST).subarray(0, 40));
        case '/tv/bomb.m3u.gz':
          return response.end(BOMB);
        case '/tv/cut.m3u':
          response.writeHead(200, { 'Content-Length': 1000 }).write(LIST);
          return void setImmediate(() => response.destroy());
        case '/tv/moved.m3u':
          return response.writeHead(302, { location: '/tv/list.m3u' }).end();
        case '/tv/elsewhere.m3u':
          return response.writeHead(302, { location: '/private' }).end();
        case '/tv/round.m3u':
          return response.writeHead(302, { location: '/tv/round.m3u' }).end();
        case '/tv/slow.m3u':
          return void held.push(response);
        case '/tv/half.m3u':
          return response.write(LIST);
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

  it.each([
    '/tv/list.m3u',
    '/tv/moved.m3u',
    ...['/tv/utf16le.m3u', '/tv/utf16be.m3u', '/tv/utf16le-without-mark.m3u', '/tv/utf16be-without-mark.m3u'],
    ...['/tv/list.m3u.gz', '/tv/gzip-said.m3u', '/tv/gzip-twice.m3u.gz', '/tv/gzip-wrongly-said.m3u'],
  ])('gives %s with links to this proxy under the address that the viewer uses', async (path) => {
    const reply = await get(path)
      .responseType('blob')
      .set('Host', 'tv:8080')
      .set('X-Forwarded-Proto', 'https')
      .expect(200)
      .expect('Content-Type', 'audio/x-mpegurl');
    expect((reply.body as Buffer).toString()).toBe(LIST.replace('acestream://', 'https://tv:8080/ace/getstream?id='));
  });

  it('gives a list without #EXTM3U', async () => {
    const reply = await get('/tv/bare.m3u').set('Host', 'tv').responseType('blob').expect(200);
    expect((reply.body as Buffer).toString()).toBe(`http://tv/ace/getstream?id=${ID}\n`);
  });

  it('says what is wrong with a reply that is not a list', async () => {
    const said = async (path: string): Promise<unknown> => ((await get(path).expect(502)).body as { detail: unknown }).detail;
    expect(await said('/tv/page.m3u')).toMatch(/is not a playlist: it starts with "<html>", but a list of channels starts with #EXTM3U/);
    expect(await said('/tv/damaged.m3u.gz')).toMatch(/its gzip data is damaged: unexpected end of file/);
    expect(await said('/tv/bomb.m3u.gz')).toMatch(/it is larger than 33554432 bytes/);
    expect(await said('/tv/cut.m3u')).toMatch(/cannot download the playlist from .*: aborted/);
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

  it('gives up a download that is not complete in time, and reports it once', async () => {
    for (const path of ['/tv/slow.m3u', '/tv/half.m3u']) {
      const url = new URL(origin + path);
      await expect(fetchPlaylist(url, [url], 200)).rejects.toThrow('not complete within 0.2 s');
    }
  });

  it('names every address that was tried when a host has several and none answers', async () => {
    const url = new URL('http://several.example:9/a.m3u');
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((
      _host: string,
      _options: object,
      done: (error: null, found: object) => void,
    ) =>
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ])) as never);
    onTestFinished(() => lookup.mockRestore());
    await expect(fetchPlaylist(url, [url])).rejects.toThrow(
      /several.example:9: connect ECONNREFUSED 127.0.0.1:9; connect ECONNREFUSED 127.0.0.2:9$/,
    );
  });

  it('never downloads what is not allowed', () => expect(asked).not.toContain('/private'));

  it('says what is wrong with the request, and downloads nothing for HEAD', async () => {
    const server = app.getHttpServer();
    await request(server).get('/playlist.m3u?url=&').expect(400);
    await request(server).get('/playlist.m3u?url=http://one/&URL=http://two/').expect(400);
    await request(server)
      .head(`/playlist.m3u?URL=%20${encodeURIComponent(`${origin}/tv/list.m3u`)}%0A`)
      .expect(200);
    await request(server).get('/playlist.m3u').expect(400);
    await request(server).get('/playlist.m3u?url=file:///etc/passwd').expect(400);
    const before = asked.length;
    await request(server)
      .head(`/playlist.m3u?url=${encodeURIComponent(`${origin}/tv/list.m3u`)}`)
      .expect(200);
    expect(asked).toHaveLength(before);
  });
});
