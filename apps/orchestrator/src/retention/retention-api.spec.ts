import Database from 'better-sqlite3';
import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AUTH, startOrchestrator, type TestOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { StreamService } from '../streams/stream.service.js';
import { Retention } from './retention.service.js';

const DAY_MS = 86_400_000;

let folder: string;
let orchestrator: TestOrchestrator;
let database: Database.Database;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'orchestrator-upkeep-'));
  // The first start creates the tables.
  await (await startOrchestrator({ folder })).stop();
  database = new Database(join(folder, 'test.db'));
});
afterEach(async () => {
  database.close();
  await orchestrator.close();
});

function remember(id: string, { startedDaysAgo = 0, endedDaysAgo = null as number | null, proxyId = null as string | null } = {}): void {
  const at = (daysAgo: number): string => new Date(Date.now() - daysAgo * DAY_MS).toISOString();
  database
    .prepare(
      `INSERT INTO streams (id, key_type, key, container_id, proxy_id, playback_session_id, stat_url, command_url, is_live, started_at, ended_at, status)
       VALUES (?, 'url', 'k', 'c', ?, 'p', 'http://h:1/ace/stat/1/2', '', 1, ?, ?, ?)`,
    )
    .run(id, proxyId, at(startedDaysAgo), endedDaysAgo === null ? null : at(endedDaysAgo), endedDaysAgo === null ? 'started' : 'ended');
}

function rememberStats(id: string, count: number, from = Date.now() - count): void {
  const insert = database.prepare(`INSERT INTO stream_stats VALUES (?, ?, 1, 2, 3, 4, 5, 'dl')`);
  database.transaction(() => {
    for (let i = 0; i < count; i++) insert.run(id, from + i);
  })();
}

const ids = (): string[] => (database.prepare('SELECT id FROM streams ORDER BY id').all() as { id: string }[]).map(({ id }) => id);
const statCount = (id: string): number =>
  (database.prepare('SELECT count(*) AS count FROM stream_stats WHERE stream_id = ?').get(id) as { count: number }).count;

describe('the retention of the database', () => {
  it('deletes ended streams after STREAM_HISTORY_DAYS, and all but the newest of the others', async () => {
    remember('old', { startedDaysAgo: 9, endedDaysAgo: 8 });
    for (const day of [1, 2, 3, 4]) remember(`day${day}`, { startedDaysAgo: day, endedDaysAgo: day });
    remember('plays', { startedDaysAgo: 20, proxyId: 'of its proxy' });
    orchestrator = await startOrchestrator({ folder, env: { STREAM_HISTORY_DAYS: '7', STREAM_HISTORY_MAX: '2' } });
    const { body } = await orchestrator.http.post('/gc').set(AUTH);
    expect(body).toMatchObject({ removed_rows: { streams: 3 } });
    expect(ids()).toEqual(['day1', 'day2', 'plays']);
    const listed = (await orchestrator.http.get('/streams')).body as { id: string }[];
    expect(listed.map(({ id }) => id)).not.toContain('old');
  });

  it('deletes statistics beyond their limit, an hour after the end, and of unknown streams', async () => {
    remember('plays', { proxyId: 'of its proxy' });
    remember('ended', { startedDaysAgo: 1, endedDaysAgo: 0.5 });
    remember('just-ended', { startedDaysAgo: 1, endedDaysAgo: 0.01 });
    rememberStats('plays', 30);
    for (const id of ['ended', 'just-ended', 'nobody']) rememberStats(id, 5);
    orchestrator = await startOrchestrator({ folder, env: { STATS_HISTORY_MAX: '20' } });
    await orchestrator.app.get(Retention).sweep();
    expect(['plays', 'ended', 'just-ended', 'nobody'].map(statCount)).toEqual([20, 0, 5, 0]);
  });

  it('corrects a row whose last write was lost', async () => {
    orchestrator = await startOrchestrator({ folder });
    remember('lost');
    await orchestrator.app.get(Retention).sweep();
    expect(database.prepare('SELECT status, end_reason FROM streams').all()).toEqual([{ status: 'ended', end_reason: 'forgotten' }]);
  });

  it('ends streams from events whose engine is unknown, after a day', async () => {
    orchestrator = await startOrchestrator({ folder });
    const start = (id: string) =>
      orchestrator.http
        .post('/events/stream_started')
        .set(AUTH)
        .send({
          engine: { host: 'elsewhere', port: 1 },
          stream: { key_type: 'url', key: 'x' },
          session: { playback_session_id: id, stat_url: 'x', command_url: 'x', is_live: 1 },
        });
    await start('p1');
    const streams = orchestrator.app.get(StreamService);
    await orchestrator.app.get(Retention).sweep();
    expect(streams.activeCount).toBe(1);
    streams.endUnverifiable(Date.now() + 1);
    expect(streams.activeCount).toBe(0);
  });

  it('shrinks the file', async () => {
    remember('plays');
    rememberStats('nobody', 20_000);
    database.pragma('wal_checkpoint(TRUNCATE)');
    const before = statSync(join(folder, 'test.db')).size;
    orchestrator = await startOrchestrator({ folder });
    await orchestrator.app.get(Retention).sweep();
    database.pragma('wal_checkpoint(TRUNCATE)');
    expect(statSync(join(folder, 'test.db')).size).toBeLessThan(before / 4);
  });
});
