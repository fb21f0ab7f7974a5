/** During a rolling update the two services have different versions: a later one may send fields and words that the other does not know. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import type { LeaseRequest, ProxyReport } from '@acexy/contracts';
import { HttpOrchestratorClient } from '@acexy/orchestrator-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  API_KEY,
  AUTH,
  eventually,
  leaseRequest,
  startOrchestrator,
  type TestOrchestrator,
} from './doubles/orchestrator/test-orchestrator.js';

/** Adds a field with text, list and object to every object in `value`. */
function withUnknownFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withUnknownFields);
  if (typeof value !== 'object' || value === null) return value;
  const known = Object.entries(value).map(([name, item]) => [name, withUnknownFields(item)]);
  return { ...Object.fromEntries(known), of_a_later_version: { text: 'x', list: [1, { deep: true }], nothing: null } };
}

const textOf = async (message: IncomingMessage): Promise<string> => Buffer.concat(await message.toArray()).toString();

describe('two services of different versions', () => {
  let orchestrator: TestOrchestrator;
  let client: HttpOrchestratorClient;
  /** Between the services: adds unknown fields to every request and every reply. */
  const tap = createServer((request, response) => void forward(request).then(([status, body]) => response.writeHead(status).end(body)));

  async function forward(request: IncomingMessage): Promise<[number, string]> {
    const body = await textOf(request);
    const { port } = orchestrator.app.getHttpServer().address() as AddressInfo;
    const reply = await fetch(`http://127.0.0.1:${port}${request.url}`, {
      method: request.method,
      headers: { Authorization: request.headers.authorization ?? '', 'Content-Type': 'application/json' },
      body: body === '' ? undefined : JSON.stringify(withUnknownFields(JSON.parse(body))),
    });
    return [reply.status, JSON.stringify(withUnknownFields(await reply.json()))];
  }

  beforeAll(async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '2' } });
    tap.listen(0, '127.0.0.1');
    await once(tap, 'listening');
    const url = `http://127.0.0.1:${(tap.address() as AddressInfo).port}`;
    client = new HttpOrchestratorClient({ url, apiKey: API_KEY, timeoutMs: 10_000, engineCacheTtlMs: 0 });
    await eventually(
      async () => (await orchestrator.http.get('/engines')).body as unknown[],
      (engines) => engines.length === 2,
    );
  });
  afterAll(async () => {
    client.close();
    tap.closeAllConnections();
    await orchestrator.close();
  });

  it('agree on a lease, a report and the release of the lease, although each sends fields that the other does not know', async () => {
    const request = leaseRequest() as unknown as LeaseRequest;
    const answer = await client.lease(request);
    if (answer.kind !== 'granted') throw new Error('no lease');
    const { lease } = answer;
    const session = {
      stream_id: randomUUID(),
      lease_id: lease.lease_id,
      container_id: lease.engine.container_id,
      host: lease.engine.host,
      port: lease.engine.port,
      key_type: request.key_type,
      key: request.key,
      state: 'playing' as const,
      playback_session_id: 'p',
      stat_url: 'http://x/ace/stat/1/2',
      command_url: 'http://x/ace/cmd/1/2',
      is_live: true,
      viewers: 1,
      failovers: 0,
      started_at: new Date().toISOString(),
    };
    const ended = [{ stream_id: randomUUID(), reason: 'the last viewer left', ended_at: new Date().toISOString() }];
    const report: ProxyReport = { boot_id: request.boot_id, seq: 1, sessions: [session], ended };
    expect(await client.report(request.proxy_id, report)).toEqual({ boot_id: request.boot_id, ack_seq: 1, leave: [], engines_wanted: 0 });
    expect((await client.engines()).engines.find(({ container_id: id }) => id === lease.engine.container_id)?.streams).toEqual([
      session.stream_id,
    ]);
    await client.report(request.proxy_id, { ...report, seq: 2, sessions: [], ended: [] });
    await client.releaseLease(lease.lease_id);
    const preview = '/engines/lease/preview?key_type=url&key=x&of_a_later_version=1';
    await orchestrator.http.get(preview).set(AUTH).expect(200);
  });

  it.each(['prefetch', ''])('a lease with the unknown purpose "%s" counts as a start', async (purpose) => {
    const { status, body } = await orchestrator.http.post('/engines/lease').set(AUTH).send(leaseRequest({ purpose }));
    expect([status, (body as { reason?: string }).reason]).toEqual([200, expect.any(String)]);
    await orchestrator.http
      .delete(`/engines/lease/${(body as { lease_id: string }).lease_id}`)
      .set(AUTH)
      .expect(200);
  });

  it('a purpose that is no text is still an error that names the field', async () => {
    const { status, body } = await orchestrator.http
      .post('/engines/lease')
      .set(AUTH)
      .send(leaseRequest({ purpose: 7 }));
    expect([status, (body as { detail: string }).detail]).toEqual([400, expect.stringContaining('purpose')]);
  });

  it('a session in an unknown state stays in the report', async () => {
    const proxyId = randomUUID();
    const session = {
      stream_id: randomUUID(),
      host: 'elsewhere',
      port: 1,
      key_type: 'content_id',
      key: 'b'.repeat(40),
      state: 'rewinding',
      playback_session_id: 'p',
      stat_url: '',
      command_url: '',
      is_live: true,
      viewers: 1,
      failovers: 0,
      started_at: new Date().toISOString(),
    };
    const report = { boot_id: randomUUID(), seq: 1, sessions: [session], ended: [] };
    await orchestrator.http.put(`/proxies/${proxyId}/report`).set(AUTH).send(report).expect(200);
    const streams = (await orchestrator.http.get('/streams')).body as { id: string }[];
    expect(streams.map(({ id }) => id)).toContain(session.stream_id);
  });
});
