import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SILENT_LOG, loadSettings } from '@acexy/service-kit';
import { register } from 'prom-client';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from './create-app.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { ProxySettings } from './settings.js';

describe('the proxy as a whole', () => {
  let folder: string;
  let app: NestExpressApplication | null = null;
  let orchestrator: Server | null = null;

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'acexy-'))));

  afterEach(async () => {
    await app?.close();
    app = null;
    orchestrator?.closeAllConnections();
    orchestrator?.close();
    orchestrator = null;
    rmSync(folder, { recursive: true });
    register.clear();
  });

  async function start(environment: Record<string, string> = {}) {
    // Port 9 (discard) is closed everywhere that matters: no fallback engine.
    const settings = loadSettings(ProxySettings, { ACEXY_DATA_DIR: folder, ACEXY_HOST: '127.0.0.1', ACEXY_PORT: '9', ...environment });
    app = await createApp(settings, SILENT_LOG);
    await app.init();
    return request(app.getHttpServer());
  }

  it('says who it is, that it is well, that it is ready, and what it measures', async () => {
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
  });

  it('is not ready while it shuts down, but well', async () => {
    const http = await start();
    await app!.get(SessionRegistry).shutdown(10);
    await http.get('/health/ready').expect(503);
    await http.get('/health').expect(200);
  });

  it('turns a viewer away with 503 when neither an orchestrator nor the fallback engine can be had', async () => {
    const http = await start();
    const reply = await http.get(`/ace/getstream?id=${'a'.repeat(40)}`).expect(503);
    expect(reply.headers['retry-after']).toBe('5');
    expect((reply.body as { error: string }).error).toContain('no engines available');
    const metrics = (await http.get('/metrics')).text;
    expect(metrics).toMatch(/acexy_starts_total\{outcome="no_engine"\} 1/);
  });

  it('reports to its orchestrator from the start to the end, under one id', async () => {
    const heard: { url: string; key: string | undefined }[] = [];
    orchestrator = createServer((incoming, reply) => {
      heard.push({ url: `${incoming.method} ${incoming.url}`, key: incoming.headers.authorization });
      incoming.resume();
      reply.setHeader('Content-Type', 'application/json');
      reply.end(incoming.method === 'PUT' ? JSON.stringify({ boot_id: 'x', ack_seq: 0, leave: [] }) : '[]');
    });
    await new Promise<void>((resolve) => orchestrator!.listen(0, '127.0.0.1', resolve));
    const { port } = orchestrator.address() as AddressInfo;
    const http = await start({ ACEXY_ORCH_URL: `http://127.0.0.1:${port}`, ACEXY_ORCH_APIKEY: 'secret' });
    while (!heard.some(({ url }) => url.startsWith('PUT')) || !heard.some(({ url }) => url === 'GET /engines')) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await http.get('/health/ready')).body).toMatchObject({ info: { orchestrator: { state: 'reachable' } } });
    const before = heard.length;
    await app!.close();
    app = null;
    const last = heard.slice(before).map(({ url }) => url);
    expect(last.at(-1)).toMatch(/^PUT \/proxies\/[0-9a-f-]{36}\/report$/);
    expect(new Set(heard.filter(({ url }) => url.startsWith('PUT')).map(({ url }) => url)).size).toBe(1);
    expect(heard.every(({ key }) => key === 'Bearer secret')).toBe(true);
  });
});
