import type { EngineState, StreamState, StreamStatSnapshot } from '@acexy/contracts';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AUTH, eventually, startOrchestrator, type TestOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';

const KEY = 'cd'.repeat(20);
const ID = `${KEY}|p1`;
const STATS = `/streams/${encodeURIComponent(ID)}/stats`;
const ENV = { MIN_REPLICAS: '1', MAX_REPLICAS: '1', COLLECT_INTERVAL_S: '0.1', STATS_HISTORY_MAX: '5' };
const PLAYING = {
  response: { status: 'dl', peers: 4, speed_down: 257.4, speed_up: '29', downloaded: 3276800, uploaded: null },
  error: null,
};

let orchestrator: TestOrchestrator;
afterEach(() => orchestrator.close());

const engines = async (): Promise<EngineState[]> => (await orchestrator.http.get('/engines')).body as EngineState[];
const snapshots = async (query = ''): Promise<StreamStatSnapshot[]> =>
  (await orchestrator.http.get(STATS + query)).body as StreamStatSnapshot[];

async function play(overrides: Record<string, unknown> = {}): Promise<EngineState> {
  const [engine] = await eventually(engines, (list) => list.length === 1);
  const session = { playback_session_id: 'p1', stat_url: 'http://evil.example:1/ace/stat/1/2', command_url: 'http://x/ace/cmd/1/2' };
  const { status } = await orchestrator.http
    .post('/events/stream_started')
    .set(AUTH)
    .send({
      engine: { host: engine.host, port: engine.port },
      stream: { key_type: 'infohash', key: KEY },
      session: { ...session, is_live: 1, ...overrides },
    });
  expect(status).toBe(202);
  return engine;
}

describe('the statistics of a stream', () => {
  it('are what its engine reports, as integers, limited to the newest', async () => {
    orchestrator = await startOrchestrator({ env: ENV });
    orchestrator.runtime.statReply = PLAYING;
    await play();
    const [first] = await eventually(snapshots, (list) => list.length > 0);
    expect(first).toEqual({
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
      peers: 4,
      speed_down: 257,
      speed_up: 29,
      downloaded: 3276800,
      uploaded: null,
      status: 'dl',
    });
    const full = await eventually(snapshots, (list) => list.length === 5 && list[0].ts > first.ts);
    expect(await eventually(snapshots, (list) => list[4].ts > full[4].ts)).toHaveLength(5);
    expect(await snapshots(`?since=${full[3].ts}`)).not.toContainEqual(full[0]);
    expect(await snapshots('?since=2100-01-01T00:00:00Z')).toEqual([]);
    // A statistics request does not count as a viewer.
    expect(orchestrator.runtime.requests).toContain('/ace/stat/1/2?skip_player_activity=1');
  });

  it('are 404 for an unknown stream, 400 for an invalid time, and empty before the first poll', async () => {
    orchestrator = await startOrchestrator({ env: { ...ENV, COLLECT_INTERVAL_S: '3600' } });
    await play();
    expect(await snapshots()).toEqual([]);
    expect((await orchestrator.http.get('/streams/nobody/stats')).status).toBe(404);
    const wrong = await orchestrator.http.get(`${STATS}?since=yesterday`);
    expect([wrong.status, (wrong.body as { detail: string }).detail]).toEqual([400, expect.stringContaining('since must be')]);
  });

  it('are kept over a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-stats-'));
    orchestrator = await startOrchestrator({ env: ENV, folder });
    orchestrator.runtime.statReply = PLAYING;
    await play();
    await eventually(snapshots, (list) => list.length === 5);
    const { runtime } = orchestrator;
    await orchestrator.stop();
    orchestrator = await startOrchestrator({ env: { ...ENV, COLLECT_INTERVAL_S: '3600' }, folder, runtime: runtime.restarted() });
    // The first round of this run may already have added one.
    expect((await snapshots()).length).toBeGreaterThanOrEqual(4);
  });

  it('are never requested at an address from an event, and only stat paths are requested', async () => {
    orchestrator = await startOrchestrator({ env: ENV });
    orchestrator.runtime.statReply = PLAYING;
    await play({ stat_url: 'http://127.0.0.1:1/webui/api/service?method=shutdown', playback_session_id: 'other' });
    await play();
    await eventually(snapshots, (list) => list.length > 1);
    expect(orchestrator.runtime.requests.filter((url) => url.includes('shutdown'))).toEqual([]);
  });

  it('a silent engine costs only its timeout and one counted error', async () => {
    orchestrator = await startOrchestrator({ env: { ...ENV, HEALTH_CHECK_INTERVAL_S: '3600' } });
    const engine = await play();
    orchestrator.runtime.silent.add(engine.container_name);
    const errors = async (): Promise<number> =>
      Number(/^orch_collect_errors_total (\d+)/m.exec((await orchestrator.http.get('/metrics')).text)?.[1] ?? 0);
    const before = await errors();
    await eventually(errors, (count) => count > before);
    expect((await orchestrator.http.get('/streams?status=started')).body).toHaveLength(1);
  });

  it('a stream whose end event was lost ends when its engine no longer knows the session', async () => {
    orchestrator = await startOrchestrator({ env: ENV });
    await play();
    const ended = async (): Promise<StreamState[]> => (await orchestrator.http.get('/streams?status=ended')).body as StreamState[];
    await eventually(ended, (list) => list.length === 1);
  });
});
