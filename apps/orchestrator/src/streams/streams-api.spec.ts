import type { EngineState, LeaseGranted, ProxyReport, ReportAnswer, ReportedSession, StreamState } from '@acexy/contracts';
import { Clock } from '@acexy/service-kit/primitives';
import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  AUTH,
  eventually,
  leaseRequest,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import type { LeasePreview } from '../leases/lease-preview.js';
import { SILENCE_MS } from './proxy-ledger.js';
import { ProxyReports } from './proxy-reports.service.js';

const PROXY = randomUUID();
const BOOT = randomUUID();
const INFOHASH = 'cd'.repeat(20);

let orchestrator: TestOrchestrator;
afterEach(async () => {
  vi.restoreAllMocks();
  await orchestrator.close();
});

const engines = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
const streams = async (query = ''): Promise<StreamState[]> => (await orchestrator.http.get(`/streams${query}`)).body as StreamState[];
const post = (path: string, body: object) => orchestrator.http.post(path).set(AUTH).send(body);
const ready = (count: number): Promise<EngineState[]> => eventually(engines, (list) => list.length === count);

async function lease(overrides: Record<string, unknown> = {}): Promise<LeaseGranted> {
  const { body } = await post('/engines/lease', leaseRequest({ proxy_id: PROXY, boot_id: BOOT, ...overrides }));
  return body as LeaseGranted;
}

function session(engine: EngineState, overrides: Partial<ReportedSession> = {}): ReportedSession {
  return {
    stream_id: randomUUID(),
    lease_id: null,
    container_id: engine.container_id,
    host: engine.host,
    port: engine.port,
    key_type: 'content_id',
    key: 'ab'.repeat(20),
    infohash: INFOHASH,
    state: 'playing',
    playback_session_id: 'session-1',
    stat_url: `http://evil.example:1/ace/stat/${INFOHASH}/1`,
    command_url: `http://${engine.host}:${engine.port}/ace/cmd/${INFOHASH}/1`,
    is_live: true,
    viewers: 1,
    failovers: 0,
    started_at: '2026-01-01T00:00:00.000Z',
    ...overrides,
  };
}

async function report(body: Partial<ProxyReport>, proxyId = PROXY): Promise<ReportAnswer> {
  const answer = await orchestrator.http
    .put(`/proxies/${proxyId}/report`)
    .set(AUTH)
    .send({ boot_id: BOOT, seq: 1, sessions: [], ended: [], ...body });
  expect(answer.status).toBe(200);
  return answer.body as ReportAnswer;
}

function startedEvent({ host, port }: { host: string; port: number }, overrides: Record<string, unknown> = {}): object {
  return {
    container_id: 'the-id-of-the-proxy-itself',
    engine: { host, port },
    stream: { key_type: 'infohash', key: INFOHASH },
    session: { playback_session_id: 'p1', stat_url: 'http://x:1/ace/stat/1/2', command_url: 'http://x:1/ace/cmd/1/2', is_live: 1 },
    labels: {},
    a_field_we_do_not_know: 'ignored',
    ...overrides,
  };
}

describe('the events of other proxies', () => {
  let engine: EngineState;
  beforeEach(async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' } });
    [engine] = await ready(1);
  });

  it('a start is 202 with the stream, on the engine found by host and port, keeping only the path of its URLs', async () => {
    const { status, body } = await post('/events/stream_started', startedEvent(engine));
    expect([status, body]).toMatchObject([
      202,
      {
        id: `${INFOHASH}|p1`,
        container_id: engine.container_id,
        stat_url: `http://${engine.host}:${engine.port}/ace/stat/1/2`,
        is_live: true,
        ended_at: null,
        status: 'started',
      },
    ]);
    expect((await engines())[0].streams).toEqual([`${INFOHASH}|p1`]);
  });

  it('a repeated event is one stream; a label may name it', async () => {
    const event = startedEvent({ host: 'localhost', port: engine.port }, { labels: { stream_id: 'named' } });
    await post('/events/stream_started', event);
    await post('/events/stream_started', event);
    expect((await streams('?status=started')).map(({ id, container_id: at }) => [id, at])).toEqual([['named', engine.container_id]]);
  });

  it('a stream from an event makes its engine full', async () => {
    await post('/events/stream_started', startedEvent(engine));
    const preview = await orchestrator.http.get('/engines/lease/preview').query({ key_type: 'content_id', key: 'x' }).set(AUTH);
    expect(preview.body).toMatchObject({ engine: null, considered: [{ verdict: 'full: 1 of 1 streams' }] });
    await post('/events/stream_ended', { stream_id: `${INFOHASH}|p1` });
    expect((await post('/engines/lease', leaseRequest())).status).toBe(200);
  });

  it('an end is 202 and reports whether it changed anything', async () => {
    await post('/events/stream_started', startedEvent(engine));
    const ended = await post('/events/stream_ended', { container_id: engine.container_id, reason: 'eof' });
    expect([ended.status, ended.body]).toMatchObject([202, { updated: true, stream: { status: 'ended' } }]);
    expect((await post('/events/stream_ended', { stream_id: `${INFOHASH}|p1` })).body).toMatchObject({
      updated: false,
      stream: { status: 'ended' },
    });
    expect((await post('/events/stream_ended', { stream_id: 'unknown' })).body).toEqual({ updated: false, stream: null });
    expect(await streams('?status=started')).toEqual([]);
    expect(await streams(`?status=ended&container_id=${engine.container_id}`)).toHaveLength(1);
  });

  it('an empty id in an end counts as missing', async () => {
    await post('/events/stream_started', startedEvent(engine));
    const { body } = await post('/events/stream_ended', { stream_id: '', container_id: engine.container_id, reason: '' });
    expect(body).toMatchObject({ updated: true, stream: { id: `${INFOHASH}|p1` } });
    expect((await post('/events/stream_ended', { stream_id: '', container_id: '' })).body).toEqual({ updated: false, stream: null });
  });

  it('a start that arrives after its end does not restart the stream', async () => {
    await post('/events/stream_started', startedEvent(engine));
    await post('/events/stream_ended', { stream_id: `${INFOHASH}|p1` });
    const late = await post('/events/stream_started', startedEvent(engine));
    expect([late.status, late.body]).toMatchObject([202, { id: `${INFOHASH}|p1`, status: 'ended' }]);
    expect(await streams('?status=started')).toEqual([]);
  });

  it('a stream from an event ends with its engine', async () => {
    await post('/events/stream_started', startedEvent(engine));
    orchestrator.runtime.vanish(engine.container_id);
    await eventually(
      () => streams('?status=ended'),
      (list) => list.length === 1,
    );
  });

  it('an invalid event is 400 with the field, and 401 without the key', async () => {
    const wrong = await post('/events/stream_started', startedEvent({ host: engine.host, port: 0 }));
    expect([wrong.status, (wrong.body as { detail: string }).detail]).toEqual([400, 'engine.port must not be less than 1']);
    expect((await orchestrator.http.post('/events/stream_started').send(startedEvent(engine))).status).toBe(401);
    expect((await orchestrator.http.get('/streams?status=lost')).status).toBe(400);
  });
});

describe('the reports of proxies', () => {
  let a: EngineState;
  let b: EngineState;
  beforeEach(async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '2', MAX_REPLICAS: '2' } });
    [a, b] = await ready(2);
  });

  it('add streams, move them, and end those that are no longer listed', async () => {
    const playing = session(a);
    expect(await report({ sessions: [playing] })).toEqual({ boot_id: BOOT, ack_seq: 1, leave: [], engines_wanted: 0 });
    expect(await streams()).toMatchObject([
      {
        id: playing.stream_id,
        container_id: a.container_id,
        stat_url: `http://${a.host}:${a.port}/ace/stat/${INFOHASH}/1`,
        status: 'started',
        infohash: INFOHASH,
        title: null,
      },
    ]);
    await report({ seq: 2, sessions: [session(b, { stream_id: playing.stream_id, failovers: 1, title: 'Channel one' })] });
    expect(await streams()).toMatchObject([{ title: 'Channel one' }]);
    expect((await engines()).map((engine) => engine.streams)).toEqual([[], [playing.stream_id]]);
    await report({ seq: 3 });
    expect(await streams('?status=started')).toEqual([]);
  });

  it('an older report of the same boot changes nothing', async () => {
    await report({ seq: 5, sessions: [session(a)] });
    expect((await report({ seq: 4 })).ack_seq).toBe(5);
    expect(await streams('?status=started')).toHaveLength(1);
  });

  it('renew a lease while they name it, and end it when they no longer do', async () => {
    const { lease_id, engine } = await lease();
    const playing = session(engine, { lease_id });
    await report({ sessions: [playing] });
    const other = await lease();
    expect(other.engine.container_id).not.toBe(engine.container_id);
    const third = lease({ wait_ms: 5000 });
    await report({ seq: 2, sessions: [playing] });
    const preview = await orchestrator.http.get('/engines/lease/preview').query({ key_type: 'content_id', key: 'x' }).set(AUTH);
    expect(preview.body).toMatchObject({ engine: null });
    await report({ seq: 3, ended: [{ stream_id: playing.stream_id, reason: 'last viewer left', ended_at: new Date().toISOString() }] });
    expect((await third).engine.container_id).toBe(engine.container_id);
  });

  it('a starting session claims its engine and is not a stream yet', async () => {
    await report({ sessions: [session(a, { state: 'starting', playback_session_id: '', stat_url: '', command_url: '' })] });
    expect(await streams()).toEqual([]);
    expect((await lease()).engine.container_id).toBe(b.container_id);
    await report({ seq: 2 });
    expect((await lease()).engine.container_id).toBe(a.container_id);
  });

  it('are answered with the engines to leave', async () => {
    orchestrator.runtime.knobs.removeMs = 2000;
    const removal = orchestrator.http
      .delete(`/containers/${a.container_id}`)
      .set(AUTH)
      .timeout(500)
      .catch((error: unknown) => error);
    await eventually(engines, (list) => list.some((engine) => engine.health_status === 'unhealthy'));
    const { leave } = await report({ sessions: [session(a)] });
    expect(leave).toMatchObject([{ container_id: a.container_id, reason: 'deleted through the API' }]);
    await removal;
  });

  it('another boot of a proxy ends the streams of the first one', async () => {
    await report({ seq: 9, sessions: [session(a)] });
    await report({ boot_id: randomUUID(), seq: 0, sessions: [session(b)] });
    expect((await streams('?status=started')).map((stream) => stream.container_id)).toEqual([b.container_id]);
  });

  it('of two proxies with one id are told apart: both learn of it, and both keep their streams', async () => {
    const [copyBoot, newId] = [randomUUID(), randomUUID()];
    const first = session(a);
    const copied = session(b, { key: 'ef'.repeat(20), infohash: null });
    const ids = async (): Promise<string[]> => (await streams()).map(({ id }) => id).sort();
    await report({ seq: 5, sessions: [first] });
    await report({ boot_id: copyBoot, seq: 1, sessions: [copied] });
    await report({ seq: 6, sessions: [first] });
    expect(await report({ seq: 7, sessions: [first] })).toMatchObject({ identity: 'keep' });
    expect(await report({ boot_id: copyBoot, seq: 2, sessions: [copied] })).toMatchObject({ identity: 'replace', ack_seq: 2 });
    await report({ boot_id: copyBoot, seq: 3, sessions: [copied] }, newId);
    const clock = orchestrator.app.get(Clock);
    const later = clock.now.bind(clock);
    clock.now = () => later() + 6_000;
    expect((await report({ seq: 8, sessions: [first] })).identity).toBeUndefined();
    expect(await ids()).toEqual([first.stream_id, copied.stream_id].sort());
  });

  it('with an invalid field are rejected by name, and may be longer than other calls', async () => {
    expect((await orchestrator.http.put('/proxies/me/report').set(AUTH).send({})).status).toBe(400);
    const noMoment = await orchestrator.http
      .put(`/proxies/${PROXY}/report`)
      .set(AUTH)
      .send({ boot_id: BOOT, seq: 1, sessions: [session(a, { started_at: '2026-W10-1' })], ended: [] });
    expect([noMoment.status, (noMoment.body as { detail: string }).detail]).toMatchObject([400, expect.stringContaining('started_at')]);
    const sessions = Array.from({ length: 500 }, () =>
      session(a, { stat_url: `http://h/${'x'.repeat(2000)}`, command_url: `http://h/${'y'.repeat(2000)}` }),
    );
    await report({ sessions });
    const tooLong = await post('/events/stream_started', { padding: 'x'.repeat(1_100_000) });
    expect(tooLong.status).toBe(413);
  });
});

describe('streams after a failure', () => {
  /** Advances the clock of the whole process. */
  function jumpAhead(ms: number): void {
    const real = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => real() + ms);
  }

  it("a silent proxy's streams end; its engine is cordoned until it no longer knows the session", async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' } });
    const [engine] = await ready(1);
    orchestrator.runtime.statReply = { response: { status: 'dl', peers: 3 }, error: null };
    await report({ sessions: [session(engine)] });
    jumpAhead(SILENCE_MS + 1000);
    await eventually(
      () => streams('?status=ended'),
      (list) => list.length === 1,
    );
    const preview = await orchestrator.http.get('/engines/lease/preview').query({ key_type: 'content_id', key: 'x' }).set(AUTH);
    expect(preview.body).toMatchObject({ engine: null, considered: [{ verdict: 'cordoned: in quarantine, its proxy stopped reporting' }] });
    await report({ seq: 2, sessions: [] });
    expect((await lease({ wait_ms: 1000 })).engine.container_id).toBe(engine.container_id);
  });

  it('an orchestrator that was suspended reads waiting reports before it treats a proxy as silent', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' } });
    const [engine] = await ready(1);
    const playing = session(engine);
    await report({ sessions: [playing] });
    jumpAhead(SILENCE_MS + 1000);
    // The timer runs before waiting reports are read.
    orchestrator.app.get(ProxyReports)['checkSilence']();
    expect(await streams('?status=ended')).toEqual([]);
    await report({ seq: 2, sessions: [playing] });
    orchestrator.app.get(ProxyReports)['checkSilence']();
    expect((await streams()).map(({ id, status }) => [id, status])).toEqual([[playing.stream_id, 'started']]);
  });

  it('a stream from an event ends at the next start if its engine disappeared meanwhile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-restart-'));
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1' }, folder });
    const [engine] = await ready(1);
    await post('/events/stream_started', startedEvent(engine));
    const { runtime } = orchestrator;
    await orchestrator.stop();
    runtime.vanish(engine.container_id);
    orchestrator = await startOrchestrator({ folder, runtime: runtime.restarted() });
    await eventually(
      () => streams('?status=ended'),
      (list) => list.length === 1,
    );
  });

  it('an engine with a session that was starting at a kill is not leased to another proxy after the restart', async () => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' } });
    const [engine] = await ready(1);
    const { runtime } = orchestrator;
    await orchestrator.stop();
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' }, runtime: runtime.restarted() });
    await ready(1);
    expect((await post('/engines/lease', leaseRequest({ wait_ms: 50 }))).status).toBe(202);
    await report({ sessions: [session(engine, { state: 'starting', playback_session_id: '' })] });
    jumpAhead(5000);
    await eventually(
      async () =>
        (await orchestrator.http.get('/engines/lease/preview').query({ key_type: 'url', key: 'x' }).set(AUTH)).body as LeasePreview,
      ({ considered }) => considered[0].verdict === 'full: 1 of 1 streams',
    );
  });

  it('a restart finds the same engines and streams, and starts no unneeded engine', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-restart-'));
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '2' }, folder });
    const [engine] = await ready(2);
    const playing = session(engine, { title: 'Channel one' });
    await report({ sessions: [playing] });
    const before = await ready(3);
    const { runtime } = orchestrator;
    await orchestrator.stop();

    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '2', MAX_REPLICAS: '3' }, folder, runtime: runtime.restarted() });
    const after = await ready(3);
    expect(after.map(({ container_id: id, port }) => [id, port])).toEqual(before.map(({ container_id: id, port }) => [id, port]));
    expect(await streams('?status=started')).toMatchObject([
      { id: playing.stream_id, container_id: engine.container_id, title: 'Channel one', infohash: INFOHASH },
    ]);
    // Its proxy has not reported: no adopted engine is leased yet, and none is started instead.
    expect((await post('/engines/lease', leaseRequest({ wait_ms: 50 }))).status).toBe(202);
    await report({ seq: 2, sessions: [playing] });
    jumpAhead(2500);
    const granted = await lease();
    expect(granted.engine.container_id).not.toBe(engine.container_id);
    await eventually(
      () => orchestrator.http.get('/health/ready').then(({ body }) => body as { ready: boolean }),
      ({ ready: is }) => is,
    );
    expect(orchestrator.runtime.startCalls).toEqual([]);
  });
});
