import type { EngineState, EventBatchAnswer, StreamState } from '@acexy/contracts';
import Database from 'better-sqlite3';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StreamHistory } from '../database/stream-history.js';
import { WriteQueueFullError } from '../database/write-queue.js';
import {
  AUTH,
  eventually,
  type ListeningEngines,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { RuntimeUnreachableError } from '../runtime/engine-runtime.js';

const KEY = 'cd'.repeat(20);

let orchestrator: TestOrchestrator;
let engine: EngineState;
let database: Database.Database;

let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'orchestrator-events-'));
  orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' }, folder });
  [engine] = await eventually(
    async () => (await orchestrator.http.get('/engines')).body as EngineState[],
    (list) => list.length === 1,
  );
  database = new Database(join(folder, 'test.db'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  database.close();
  await orchestrator.close();
});

function started(session: string, overrides: Record<string, unknown> = {}): object {
  return {
    engine: { host: engine.host, port: engine.port },
    stream: { key_type: 'infohash', key: KEY },
    session: { playback_session_id: session, stat_url: 'http://x:1/ace/stat/1/2', command_url: 'http://x:1/ace/cmd/1/2', is_live: 1 },
    ...overrides,
  };
}

const post = (path: string, body: object) => orchestrator.http.post(path).set(AUTH).send(body);
const streams = async (): Promise<StreamState[]> => (await orchestrator.http.get('/streams?status=started')).body as StreamState[];
const rows = (): unknown[] => database.prepare('SELECT id, status FROM streams ORDER BY id').all();

describe('an event', () => {
  it('is in the database when it is answered, for a start and an end', async () => {
    expect((await post('/events/stream_started', started('p1'))).status).toBe(202);
    expect(rows()).toEqual([{ id: `${KEY}|p1`, status: 'started' }]);
    expect((await post('/events/stream_ended', { stream_id: `${KEY}|p1` })).status).toBe(202);
    expect(rows()).toEqual([{ id: `${KEY}|p1`, status: 'ended' }]);
  });

  it('sent several times at once is one stream, and no call is answered before it is saved', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { status } = await post('/events/stream_started', started('p1'));
        return [status, rows().length];
      }),
    );
    expect(new Set(answers.map(String))).toEqual(new Set(['202,1']));
    expect(await streams()).toHaveLength(1);
  });

  it('is visible to reads before it is answered, and waits while the database is locked', async () => {
    database.exec('BEGIN IMMEDIATE');
    let answered = false;
    const answer = post('/events/stream_started', started('p1')).then((response) => {
      answered = true;
      return response.status;
    });
    await eventually(streams, (list) => list.length === 1);
    expect(answered).toBe(false);
    database.exec('COMMIT');
    expect(await answer).toBe(202);
    expect(rows()).toHaveLength(1);
  });

  it('that cannot be saved is 503, and repeating it retries', async () => {
    vi.spyOn(orchestrator.app.get(StreamHistory), 'save').mockRejectedValueOnce(new WriteQueueFullError(20_000));
    const refused = await post('/events/stream_started', started('p1'));
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect((refused.body as { detail: string }).detail).toContain('20000 writes already wait');
    expect(rows()).toEqual([]);
    expect((await post('/events/stream_started', started('p1'))).status).toBe(202);
    expect(rows()).toHaveLength(1);
  });
});

describe('POST /events/batch', () => {
  const batch = async (body: object): Promise<EventBatchAnswer> => {
    const response = await post('/events/batch', body);
    expect(response.status).toBe(200);
    return response.body as EventBatchAnswer;
  };

  it('accepts valid events and reports the error of each invalid one, in the given order', async () => {
    const answer = await batch({
      started: [started('p1'), { engine: { host: 'x', port: 0 } }, null, started('p2', { colour: 'blue' })],
      ended: [{ stream_id: `${KEY}|p1`, reason: 'eof' }, { stream_id: 'unknown' }, {}, { container_id: 'nobody' }, 7],
    });
    expect(answer.started.map(({ success, stream_id: id }) => [success, id])).toEqual([
      [true, `${KEY}|p1`],
      [false, undefined],
      [false, undefined],
      [true, `${KEY}|p2`],
    ]);
    expect(answer.started[1].error).toContain('engine.port must not be less than 1');
    expect(answer.started[2].error).toBe('an event must be an object');
    expect(answer.ended).toEqual([
      { success: true, stream_id: `${KEY}|p1`, updated: true },
      { success: true, stream_id: 'unknown', updated: false },
      { success: false, error: 'set stream_id or container_id' },
      { success: false, error: 'nothing plays on nobody' },
      { success: false, error: 'an event must be an object' },
    ]);
    expect(rows()).toEqual([
      { id: `${KEY}|p1`, status: 'ended' },
      { id: `${KEY}|p2`, status: 'started' },
    ]);
  });

  it('sent twice changes nothing', async () => {
    const body = { started: [started('p1'), started('p2')], ended: [{ stream_id: `${KEY}|p2` }] };
    const first = await batch(body);
    const before = rows();
    expect((await batch(body)).started).toEqual(first.started);
    expect(rows()).toEqual(before);
  });

  it('may be empty, has limits, ignores unknown fields, and requires the key', async () => {
    expect(await batch({})).toEqual({ started: [], ended: [] });
    expect(await batch({ started: null, mood: 'good' })).toEqual({ started: [], ended: [] });
    const many = await post('/events/batch', { ended: Array.from({ length: 1001 }, () => ({})) });
    expect([many.status, (many.body as { detail: string }).detail]).toEqual([400, 'ended must contain no more than 1000 elements']);
    expect((await post('/events/batch', { started: 'all' })).status).toBe(400);
    expect((await orchestrator.http.post('/events/batch').send({})).status).toBe(401);
  });
});

describe('an event right after the start of the service', () => {
  const startAgain = async (runtime: ListeningEngines): Promise<void> => {
    orchestrator = await startOrchestrator({ env: { MIN_REPLICAS: '1', MAX_REPLICAS: '1' }, folder, runtime });
  };
  let before: TestOrchestrator;

  beforeEach(async () => {
    before = orchestrator;
    await before.stop();
  });
  afterEach(() => before.close());

  it('is assigned to the engine it names, however long the first list takes', async () => {
    const runtime = before.runtime.restarted();
    const list = runtime.list.bind(runtime);
    let look!: () => void;
    const looking = new Promise<void>((resolve) => (look = resolve));
    runtime.list = () => looking.then(list);
    await startAgain(runtime);
    const answer = post('/events/stream_started', started('p1')).then(({ body }) => body as StreamState);
    expect((await orchestrator.http.get('/health')).status).toBe(200);
    look();
    expect((await answer).container_id).toBe(engine.container_id);
    expect(await streams()).toHaveLength(1);
  });

  it('is accepted before the first list, and is assigned to the engine it names after it', async () => {
    const runtime = before.runtime.restarted();
    runtime.knobs.listFails = new RuntimeUnreachableError('no Docker Engine answers');
    await startAgain(runtime);
    for (let times = 0; times < 2; times++) expect((await post('/events/stream_started', started('p1'))).status).toBe(202);
    runtime.knobs.listFails = null;
    const [stream] = await eventually(streams, ([one]) => one?.container_id === engine.container_id);
    expect(stream.id).toBe(`${KEY}|p1`);
    // A repeated event that names an unknown engine does not move it.
    await post('/events/stream_started', started('p1', { engine: { host: 'elsewhere', port: 1 } }));
    expect((await streams()).map(({ container_id: id }) => id)).toEqual([engine.container_id]);
  });
});
