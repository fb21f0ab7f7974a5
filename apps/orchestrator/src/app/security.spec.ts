import { writeFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadSettings } from '@acexy/service-kit';
import { AUTH, startOrchestrator, type TestOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { HttpSettings } from '../http/http-settings.js';

/** Every call that changes something or belongs to our own proxy. */
const PROTECTED: ['get' | 'post' | 'put' | 'delete', string][] = [
  ['post', '/provision'],
  ['post', '/provision/acestream'],
  ['delete', '/containers/none'],
  ['get', '/by-label?key=a&value=b'],
  ['post', '/events/stream_started'],
  ['post', '/events/stream_ended'],
  ['post', '/events/batch'],
  ['post', '/scale/3'],
  ['get', '/autoscaler/decisions'],
  ['post', '/gc'],
  ['post', '/health/circuit-breaker/reset'],
  ['post', '/engines/lease'],
  ['delete', '/engines/lease/5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a'],
  ['get', '/engines/lease/preview?key_type=content_id&key=x'],
  ['put', '/proxies/5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a/report'],
];

describe('protected calls', () => {
  let orchestrator: TestOrchestrator;
  const start = async (env: Record<string, string> = {}): Promise<void> => void (orchestrator = await startOrchestrator({ env }));
  afterEach(() => orchestrator.close());

  it('reject a missing or wrong key with 401, and say what is missing', async () => {
    await start();
    for (const [method, path] of PROTECTED) {
      const { status, body, headers } = await orchestrator.http[method](path).send({});
      expect([path, status]).toEqual([path, 401]);
      expect((body as { detail: string }).detail).toContain('Authorization: Bearer');
      expect(headers['www-authenticate']).toBe('Bearer');
      expect((await orchestrator.http[method](path).set('Authorization', 'Bearer wrong').send({})).status).toBe(401);
      expect((await orchestrator.http[method](path).set(AUTH).send({})).status).not.toBe(401);
    }
  });

  it('reject everybody when no API_KEY is set, and say how to change that', async () => {
    await start({ API_KEY: '' });
    for (const [method, path] of PROTECTED) {
      const { status, body } = await orchestrator.http[method](path).set('Authorization', 'Bearer ').send({});
      expect([path, status]).toEqual([path, 401]);
      expect((body as { detail: string }).detail).toContain('set API_KEY (or AUTH=open)');
    }
    await orchestrator.http.get('/engines').expect(200);
  });

  it('need no key with AUTH=open', async () => {
    await start({ API_KEY: '', AUTH: 'open' });
    await orchestrator.http.get('/by-label?key=a&value=b').expect(200);
    await orchestrator.http.post('/events/stream_ended').send({ stream_id: 'none' }).expect(202);
  });

  it('accept a key from API_KEY_FILE', () => {
    const folder = mkdtempSync(join(tmpdir(), 'key-'));
    writeFileSync(join(folder, 'key'), 'from-a-file\n', { mode: 0o600 });
    expect(loadSettings(HttpSettings, { API_KEY_FILE: join(folder, 'key') }).apiKey).toBe('from-a-file');
    rmSync(folder, { recursive: true });
    return start();
  });

  it('do not read a body without the key: a malformed or too large body is 401 too', async () => {
    await start();
    await orchestrator.http.post('/events/stream_started').set('Content-Type', 'application/json').send('{"broken').expect(401);
    await orchestrator.http
      .put('/proxies/5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a/report')
      .set('Content-Type', 'application/json')
      .send(JSON.stringify({ junk: 'x'.repeat(4_000_000) }))
      .expect(401);
  });

  it('reject a body whose JSON is nested too deeply with 400, wherever the nesting is, in any encoding', async () => {
    await start();
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const post = (path: string, body: string | Buffer, charset = 'utf-8') =>
      orchestrator.http.post(path).set(AUTH).set('Content-Type', `application/json; charset=${charset}`).send(body);
    const bodies = [nested(50_000), `{"labels":${nested(50_000)}}`, `{"a":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`];
    for (const path of ['/provision', '/events/stream_started', '/events/batch', '/engines/lease']) {
      for (const body of bodies) {
        const { status, body: reply } = await post(path, body);
        expect([path, status, (reply as { detail: string }).detail]).toEqual([path, 400, expect.stringContaining('at most 32 levels')]);
      }
    }
    expect((await post('/provision', Buffer.from(bodies[1], 'utf16le'), 'utf-16le')).status).toBe(400);
    // As deep as allowed: rejected for other reasons, or accepted.
    await post('/events/stream_ended', `{"stream_id":"none","more":${nested(31)}}`).expect(202);
  });

  it('and all others are answered to web browsers only at local names and those in ALLOWED_HOSTS, and to programs at every name', async () => {
    await start({ ALLOWED_HOSTS: 'orchestrator.example.org' });
    const get = (path: string, host: string, headers: Record<string, string>) =>
      orchestrator.http.get(path).set({ Host: host, ...headers });
    const browser = { Referer: 'http://evil.example/' };
    for (const path of ['/engines', '/health', '/metrics', '/docs', '/docs-json', '/none']) {
      const { status, body } = await get(path, 'evil.example', browser);
      expect([path, status, (body as { detail: string }).detail]).toEqual([path, 403, expect.stringContaining('ALLOWED_HOSTS')]);
    }
    await get('/engines', 'orchestrator.example.org', browser).expect(200);
    await get('/engines', 'localhost:8000', browser).expect(200);
    await get('/engines', 'anything.example.org', {}).expect(200);
  });

  it('limit a body to 1 MiB, and the report of a proxy to 16 MiB', async () => {
    await start();
    const large = (bytes: number): string => JSON.stringify({ junk: 'x'.repeat(bytes) });
    const post = (path: string, text: string) => orchestrator.http.put(path).set(AUTH).set('Content-Type', 'application/json').send(text);
    const { status, body } = await orchestrator.http
      .post('/events/stream_ended')
      .set(AUTH)
      .set('Content-Type', 'application/json')
      .send(large(1_100_000));
    expect(status).toBe(413);
    expect((body as { detail: string }).detail).toMatch(/too large/);
    const report = '/proxies/5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a/report';
    expect((await post(report, large(2_000_000))).status).toBe(400);
    expect((await post(report, large(17_000_000))).status).toBe(413);
  });
});
