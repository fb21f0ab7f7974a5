import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from '@nestjs/common';
import { createLog, loadAllSettings } from '@acexy/service-kit';
import { register } from 'prom-client';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestEngine, startEngine } from '../../../../test/doubles/simulated-engine.fixture.js';
import { type ApiDocument, answerFaults, operationsOf, routesOf } from '../../../../test/support/openapi.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { createApp } from './create-app.js';
import { OPENAPI } from './openapi.js';
import { PROXY_SETTINGS } from './settings.js';

const DOCUMENT = OPENAPI as unknown as ApiDocument;
const TOKEN = 'the-token-of-a-viewer';
const ID = 'b'.repeat(40);

describe('the OpenAPI description of the proxy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'acexy-'));
  let app: NestExpressApplication;
  const lines: string[] = [];
  let engine: TestEngine;
  let origin: string;

  beforeAll(async () => {
    const log = createLog({ service: 'acexy', level: 'INFO', destination: { write: (line) => lines.push(line) } });
    engine = await startEngine();
    const { hostname, port } = new URL(engine.url);
    const settings = { ACEXY_DATA_DIR: folder, ACEXY_HOST: hostname, ACEXY_PORT: port, ACEXY_LINGER: '0', ACEXY_DRAIN_TIMEOUT: '0' };
    app = await createApp(loadAllSettings(PROXY_SETTINGS, { ...settings, ACEXY_TOKENS: TOKEN }), log);
    await app.listen(0, '127.0.0.1');
    origin = await app.getUrl();
  });
  afterAll(async () => {
    await app.close();
    await engine.stop();
    rmSync(folder, { recursive: true });
    register.clear();
  });

  /** The status of the answer, after a check that the description has it. */
  async function get(route: string, path: string, headers: Record<string, string> = { Authorization: `Bearer ${TOKEN}` }): Promise<number> {
    const { status, body, type } = await request(app.getHttpServer()).get(path).set(headers);
    expect([path, answerFaults(DOCUMENT, `GET ${route}`, status, type === 'application/json' ? body : undefined)]).toEqual([path, []]);
    return status;
  }

  it('lists exactly the calls of the service', () => {
    expect([...operationsOf(DOCUMENT).keys()].sort()).toEqual([...new Set(routesOf(app))].sort());
    for (const [route, { summary }] of operationsOf(DOCUMENT)) expect([route, summary]).toEqual([route, expect.any(String)]);
  });

  it('is at /docs and /docs-json, also without a token', async () => {
    const http = request(app.getHttpServer());
    expect((await http.get('/docs-json').expect(200)).body).toMatchObject({ info: { title: 'AceStream proxy' }, paths: OPENAPI.paths });
    expect((await http.get('/docs').expect(200)).text).toContain('swagger-ui');
    await http.get('/docs/swagger-ui.css').expect(200);
    await http.get('/docs/swagger-ui-init.js').expect(200);
    await http.get('/docsx').expect(401);
  });

  it('rejects other calls of /docs like any other call', async () => {
    const http = request(app.getHttpServer());
    const { headers, body } = await http.post('/docs').expect(405);
    expect([headers.allow, headers['x-powered-by'], body]).toEqual(['GET, HEAD', undefined, expect.objectContaining({ statusCode: 405 })]);
    expect((await http.get('/docs/none').expect(404)).body).toMatchObject({ detail: 'no such path: /docs/none' });
  });

  it('leaves the log of the proxy as it is', async () => {
    lines.length = 0;
    await request(app.getHttpServer()).get('/docs').expect(200);
    expect(lines).toEqual([]);
    new Logger('test').warn('a message of the framework');
    expect(lines).toEqual([expect.stringContaining('a message of the framework')]);
  });

  it('matches the real answers: of a stream that plays, and of every error', async () => {
    const player = new AbortController();
    const stream = await fetch(`${origin}/ace/getstream?id=${ID}&token=${TOKEN}`, { signal: player.signal });
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'video/MP2T']);
    expect(await get('/ace/manifest.m3u8', `/ace/manifest.m3u8?id=${ID}`)).toBe(200);
    expect(await get('/ace/status', '/ace/status')).toBe(200);
    expect(await get('/ace/status', `/ace/status?id=${ID}`)).toBe(200);
    player.abort();
    await stream.body?.cancel().catch(() => 'aborted');
    expect(await get('/ace/status', `/ace/status?infohash=${'c'.repeat(40)}`)).toBe(404);
    expect(await get('/ace/status', '/ace/status?id=x')).toBe(400);
    expect(await get('/ace/getstream', '/ace/getstream?url=http://x/')).toBe(400);
    expect(await get('/ace/getstream', `/ace/getstream?id=${ID}`, {})).toBe(401);
    expect(await get('/ace/hls/{stream}/{file}', '/ace/hls/none/1.ts')).toBe(404);
    expect(await get('/playlist.m3u', '/playlist.m3u')).toBe(400);
    expect(await get('/playlist.m3u', '/playlist.m3u?url=http://lists.example/')).toBe(403);
    for (const path of ['/', '/health', '/health/ready', '/metrics']) expect(await get(path, path, {})).toBe(200);
  });

  it('documents the answers while the proxy shuts down', async () => {
    await app.get(SessionRegistry).shutdown(100);
    expect(await get('/health/ready', '/health/ready', {})).toBe(503);
    expect(await get('/ace/getstream', `/ace/getstream?id=${ID}`)).toBe(503);
  });
});
