import 'reflect-metadata';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, type Server, request as rawRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SILENT_LOG, createLog, loadAllSettings } from '@acexy/service-kit';
import { register } from 'prom-client';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { OrchestratorServer } from '../../../../test/doubles/orchestrator-server.js';
import { ScriptedServer } from '../../../../test/doubles/scripted-server.js';
import { createApp } from './create-app.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { PROXY_SETTINGS } from './settings.js';

describe('the proxy', () => {
  let folder: string;
  let app: NestExpressApplication | null = null;

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'acexy-'))));

  afterEach(async () => {
    await app?.close();
    app = null;
    rmSync(folder, { recursive: true });
    register.clear();
  });

  async function start(environment: Record<string, string> = {}, log = SILENT_LOG) {
    // Port 9 (discard) is closed on test machines: there is no fallback engine.
    const settings = loadAllSettings(PROXY_SETTINGS, { ACEXY_DATA_DIR: folder, ACEXY_HOST: '127.0.0.1', ACEXY_PORT: '9', ...environment });
    app = await createApp(settings, log);
    await app.init();
    return request(app.getHttpServer());
  }

  it('answers about, health, readiness and metrics', async () => {
    const http = await start();
    expect((await http.get('/').expect(200)).body).toMatchObject({ name: 'acexy' });
    expect((await http.get('/health').expect(200)).body).toMatchObject({ status: 'ok' });
    const ready = await http.get('/health/ready').expect(200);
    expect(ready.body).toMatchObject({ status: 'ok', info: { viewers: { status: 'up' }, orchestrator: { state: 'not set' } } });
    const metrics = (await http.get('/metrics').expect(200)).text;
    for (const name of [
      'acexy_sessions{state="playing"} 0',
      'acexy_viewers 0',
      'acexy_engine_bytes_total 0',
      'acexy_first_byte_seconds_count 0',
    ]) {
      expect(metrics).toContain(name);
    }
    // OpenMetrics drops the suffix of a counter, so X and X_total would be one metric. (Node.js metrics of prom-client have such pairs.)
    const names = new Set([...metrics.matchAll(/^# TYPE (acexy_\S+)/gm)].map(([, name]) => name));
    expect([...names].filter((name) => names.has(`${name}_total`))).toEqual([]);
  });

  const ID = 'a'.repeat(40);
  /** Calls for media, with and without an error. */
  const MEDIA = [
    ['HEAD', `/ace/getstream?id=${ID}`, 200],
    ['GET', `/ace/getstream/?id=${ID}`, 503],
    ['GET', '/ace/getstream?id=x', 400],
    ['HEAD', `/ace/manifest.m3u8?id=${ID}`, 200],
    ['GET', `/ace/manifest.m3u8?id=${ID}`, 503],
    ['GET', '/ace/hls/none/1.ts', 404],
    ['GET', '/playlist.m3u?url=http://lists.example/', 403],
  ] as const;

  it.each(MEDIA)('lets players in pages of other sites play, and a reverse proxy not buffer: %s %s', async (method, path, status) => {
    const http = await start();
    const reply = await (method === 'HEAD' ? http.head(path) : http.get(path)).set('Origin', 'http://tv.lan');
    expect([reply.status, reply.headers]).toMatchObject([
      status,
      { 'cross-origin-resource-policy': 'cross-origin', 'x-accel-buffering': 'no', 'access-control-allow-origin': '*' },
    ]);
  });

  it('keeps every other answer from pages of other sites', async () => {
    const http = await start();
    for (const path of ['/', '/ace/status', `/ace/status?id=${ID}`, '/health', '/metrics', '/none']) {
      const { headers } = await http.get(path).set('Origin', 'http://tv.lan');
      expect([path, headers['cross-origin-resource-policy'], headers['access-control-allow-origin']]).toEqual([
        path,
        'same-origin',
        undefined,
      ]);
      expect(headers['x-accel-buffering']).toBeUndefined();
    }
  });

  it('lets only the scripts of the sites in ACEXY_MEDIA_CORS_ORIGINS and ACEXY_CORS_ORIGINS read media', async () => {
    const allowed = async (http: Awaited<ReturnType<typeof start>>, origin: string) => {
      const { headers } = await http.get(`/ace/manifest.m3u8?id=${ID}`).set('Origin', origin);
      expect(headers.vary).toContain('Origin');
      return headers['access-control-allow-origin'] === origin;
    };
    const own = { ACEXY_CORS_ORIGINS: 'https://status.example' };
    const some = await start({ ...own, ACEXY_MEDIA_CORS_ORIGINS: 'https://tv.example,http://10.0.0.1:3000' });
    expect(await allowed(some, 'https://tv.example')).toBe(true);
    expect(await allowed(some, 'http://10.0.0.1:3000')).toBe(true);
    expect(await allowed(some, 'https://status.example')).toBe(true);
    expect(await allowed(some, 'https://other.example')).toBe(false);
    await app?.close();
    register.clear();
    const none = await start({ ACEXY_MEDIA_CORS_ORIGINS: 'none' });
    expect(await allowed(none, 'https://tv.example')).toBe(false);
    expect(() => loadAllSettings(PROXY_SETTINGS, { ACEXY_MEDIA_CORS_ORIGINS: 'tv.example' })).toThrow('must be origins such as');
  });

  it('answers web browsers only at local names and those in ALLOWED_HOSTS, and players at every name', async () => {
    const http = await start({ ALLOWED_HOSTS: 'tv.example.org' });
    const get = (path: string, host: string, headers: Record<string, string>) => http.get(path).set({ Host: host, ...headers });
    const browser = { 'Accept-Language': 'en' };
    for (const path of ['/', '/ace/status', '/metrics', `/ace/manifest.m3u8?id=${ID}`, '/none']) {
      const { status, body } = await get(path, 'evil.example', browser);
      expect([path, status, (body as { detail: string }).detail]).toEqual([path, 403, expect.stringContaining('ALLOWED_HOSTS')]);
    }
    await get('/ace/status', 'tv.example.org', browser).expect(200);
    await get('/ace/status', '192.168.1.5:8080', browser).expect(200);
    await get('/ace/status', 'anything.example.org', { 'User-Agent': 'curl/8' }).expect(200);
  });

  it('is alive but not ready while it shuts down', async () => {
    const http = await start();
    await app!.get(SessionRegistry).shutdown(10);
    await http.get('/health/ready').expect(503);
    await http.get('/health').expect(200);
  });

  it('rejects a viewer with 503 when neither an orchestrator nor the fallback engine is reachable', async () => {
    const http = await start();
    const reply = await http.get(`/ace/getstream?id=${'a'.repeat(40)}`).expect(503);
    expect(reply.headers['retry-after']).toBe('5');
    expect((reply.body as { error: string }).error).toContain('no engines available');
    const metrics = (await http.get('/metrics')).text;
    expect(metrics).toMatch(/acexy_starts_total\{outcome="no_engine"\} 1/);
  });

  it('with ACEXY_TOKENS accepts only viewers with a token, adds it to playlist links, and never logs it', async () => {
    const [token, id] = ['the-token-of-a-viewer', 'a'.repeat(40)];
    const lines: string[] = [];
    // Unlike the log of the service, this one does not know the secrets.
    const log = createLog({ service: 'proxy', level: 'DEBUG', destination: { write: (line: string) => void lines.push(line) } });
    const source = await ScriptedServer.forTest((reply) => reply.end(`#EXTM3U\n#EXTINF:-1,One\nacestream://${id}\n`));
    const list = `${source.url}/a.m3u`;
    const http = await start({ ACEXY_TOKENS: `another-token-000001,${token}`, ACEXY_PLAYLIST_SOURCES: list }, log);
    for (const path of ['/', '/health', '/health/ready', '/metrics']) await http.get(path).expect(200);
    const playlist = `/playlist.m3u?url=${encodeURIComponent(list)}`;
    const stream = `/ace/getstream?id=${id}`;
    const closed = ['/ace/status', '/ACE/status', '/ace/hls/x/1.ts', '/nothing', '/t/x/ace/status'];
    for (const path of [stream, `/ace/manifest.m3u8?id=${id}`, playlist, ...closed]) {
      await http.get(path).expect(401).expect('WWW-Authenticate', 'Bearer');
      await http.head(path).expect(401);
      await http.get(path).set('Authorization', `Bearer ${token}x`).expect(401);
    }
    expect((await http.get(stream).expect(401)).body).toMatchObject({
      detail: expect.stringContaining('an access token is required') as string,
    });
    // No engine is available here: an accepted viewer gets 503.
    await http.get(`${stream}&token=${token}`).expect(503);
    await http.get(`/t/${token}${stream}`).expect(503);
    await http.get(stream).set('Authorization', `Bearer ${token}`).expect(503);
    await http.get(`/t/${token}/nothing`).expect(404);
    const linkOf = async (path: string, headers: Record<string, string> = {}): Promise<string> => {
      const reply = await http
        .get(path)
        .set({ Host: 'tv:8080', ...headers })
        .responseType('blob')
        .expect(200);
      return (reply.body as Buffer).toString().split('\n')[2];
    };
    expect(await linkOf(`${playlist}&token=${token}`)).toBe(`http://tv:8080${stream}&token=${token}`);
    expect(await linkOf(playlist, { Authorization: `Bearer ${token}` })).toBe(`http://tv:8080${stream}&token=${token}`);
    expect(await linkOf(`/t/${token}${playlist}`)).toBe(`http://tv:8080/t/${token}${stream}`);
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.join('')).not.toContain(token);
  });

  it.each(['', '/t/the-token-of-a-viewer', '//t/the-token-of-a-viewer/'])(
    'answers requests from the field under every path, behind "%s"',
    async (prefix) => {
      await start(prefix === '' ? {} : { ACEXY_TOKENS: 'the-token-of-a-viewer' });
      const server = app!.getHttpServer() as Server;
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const statusOf = async (method: string, path: string): Promise<number | undefined> => {
        const [reply] = (await once(rawRequest({ port, path, method, agent: false }).end(), 'response')) as [IncomingMessage];
        reply.resume();
        return reply.statusCode;
      };
      const cases = readFileSync(new URL('../http/getstream.cases.tsv', import.meta.url), 'utf8').split('\n');
      for (const [target, read] of cases.filter((line) => line.includes('/ace/')).map((line) => line.split('\t'))) {
        const path = target.startsWith('/') ? prefix + target : target.replace(/(?<=8080)/, prefix);
        const [found, started] = ['id', 'infohash'].includes(read) ? [200, 503] : [400, 400];
        for (const asked of [path, path.replace('getstream', 'manifest.m3u8')])
          expect([asked, await statusOf('HEAD', asked)]).toEqual([asked, found]);
        // No engine is available here: a viewer whose request was understood gets 503.
        expect([path, await statusOf('GET', path)]).toEqual([path, started]);
      }
      const id = 'a'.repeat(40);
      expect(await statusOf('GET', `${prefix}/ace//status?ID=%20${id}`)).toBe(404);
      expect(await statusOf('GET', `${prefix}/ace/status?id=`)).toBe(200);
      expect(await statusOf('GET', '//health')).toBe(200);
      expect(await statusOf('GET', '///')).toBe(200);
      expect(await statusOf('POST', `${prefix}//ace/getstream?id=${id}`)).toBe(405);
    },
  );

  it('is ready and says so when its orchestrator rejects its key, in /health/ready and in a metric', async () => {
    const orchestrator = new OrchestratorServer();
    onTestFinished(() => orchestrator.close());
    orchestrator.key = 'another-key';
    await orchestrator.listen();
    const http = await start({ ACEXY_ORCH_URL: orchestrator.url, ACEXY_ORCH_APIKEY: 'wrong' });
    while (!orchestrator.requests.some(({ method }) => method === 'PUT')) await new Promise((resolve) => setImmediate(resolve));
    const state = async (): Promise<string> =>
      ((await http.get('/health/ready').expect(200)).body as { info: { orchestrator: { state: string } } }).info.orchestrator.state;
    while ((await state()) === 'reachable') await new Promise((resolve) => setImmediate(resolve));
    expect(await state()).toBe('unauthorized');
    // The list of engines needs no key: that it can be read changes nothing.
    while (!orchestrator.requests.some(({ path }) => path === '/engines')) await new Promise((resolve) => setImmediate(resolve));
    expect(await state()).toBe('unauthorized');
    expect((await http.get('/metrics')).text).toMatch(/^acexy_orchestrator_unauthorized 1$/m);
  });

  it('reports to its orchestrator from start to end under one id', async () => {
    const orchestrator = new OrchestratorServer();
    onTestFinished(() => orchestrator.close());
    await orchestrator.listen();
    const calls = (): string[] => orchestrator.requests.map(({ method, path }) => `${method} ${path}`);
    const http = await start({ ACEXY_ORCH_URL: orchestrator.url, ACEXY_ORCH_APIKEY: 'secret' });
    while (!calls().some((call) => call.startsWith('PUT')) || !calls().includes('GET /engines')) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await http.get('/health/ready')).body).toMatchObject({ info: { orchestrator: { state: 'reachable' } } });
    const before = calls().length;
    await app!.close();
    app = null;
    expect(calls().slice(before).at(-1)).toMatch(/^PUT \/proxies\/[0-9a-f-]{36}\/report$/);
    expect(new Set(calls().filter((call) => call.startsWith('PUT'))).size).toBe(1);
    expect(orchestrator.requests.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(true);
  });
});
