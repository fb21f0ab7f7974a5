import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOG, loadSettings, Log, SettingsError } from '@acexy/service-kit';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import Database from 'better-sqlite3';
import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseSettings } from './database-settings.js';
import { DatabaseHealth } from './database-health.js';
import { databaseFile } from './database-settings.js';
import { DatabaseModule } from './database.module.js';
import { InstallationId } from './installation-id.js';
import { openDatabase } from './open-database.js';
import { StreamHistory } from './stream-history.js';
import type { StreamRow } from './stream-row.entity.js';
import { WriteQueue } from './write-queue.js';

/** Not every file system has chattr. */
const HAS_CHATTR = chattrWorks();

let folder: string;
let file: string;
const opened: DataSource[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'database-'));
  file = join(folder, 'orchestrator.db');
});

afterEach(async () => {
  for (const dataSource of opened.splice(0)) if (dataSource.isInitialized) await dataSource.destroy();
  await rm(folder, { recursive: true, force: true });
});

function chattrWorks(): boolean {
  const probe = mkdtempSync(join(tmpdir(), 'chattr-'));
  const works = ['+i', '-i'].every((flag) => spawnSync('chattr', [flag, probe]).status === 0);
  rmdirSync(probe);
  return works;
}

async function open(): Promise<DataSource> {
  const dataSource = await openDatabase(file);
  opened.push(dataSource);
  return dataSource;
}

function row(id: string, more: Partial<StreamRow> = {}): StreamRow {
  return {
    id,
    keyType: 'content_id',
    key: 'dd1e67078381739d14beca697356ab76d49d1a2d',
    infohash: null,
    title: null,
    containerId: '3f1c9a7be2d4',
    proxyId: null,
    playbackSessionId: 'p1',
    statUrl: 'http://127.0.0.1:19000/ace/stat/x',
    commandUrl: 'http://127.0.0.1:19000/ace/cmd/x',
    isLive: true,
    startedAt: '2026-01-01T12:00:00.000Z',
    endedAt: null,
    endReason: null,
    status: 'started',
    ...more,
  };
}

describe('DB_URL', () => {
  it('has a relative path after three slashes and an absolute one after four', () => {
    expect(databaseFile('sqlite:///./orchestrator.db', '/srv/app')).toBe('/srv/app/orchestrator.db');
    expect(databaseFile('sqlite:///data/o.db', '/srv/app')).toBe('/srv/app/data/o.db');
    expect(databaseFile('sqlite:////var/lib/o.db', '/srv/app')).toBe('/var/lib/o.db');
  });

  it.each(['postgres://db/orchestrator', 'sqlite://o.db', 'sqlite:///', 'sqlite:///:memory:', './o.db'])(
    '%s is a fault that says what would be right',
    (url) => {
      const load = () => loadSettings(DatabaseSettings, { DB_URL: url });
      expect(load).toThrow(SettingsError);
      expect(load).toThrow(`DB_URL=${url}: must be sqlite:///./file.db`);
    },
  );
});

describe('the database', () => {
  it('is created with its folder at the first start, and opened with WAL and its tables at the next', async () => {
    file = join(folder, 'new', 'folder', 'o.db');
    await (await open()).destroy();
    const dataSource = await open();
    expect(await dataSource.query('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(await dataSource.query('PRAGMA busy_timeout')).toEqual([{ timeout: 5 }]);
    const tables = (await dataSource.query(`SELECT name FROM sqlite_master WHERE type = 'table'`)) as { name: string }[];
    expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['installation', 'streams', 'migrations']));
  });

  it('can be read by no other user of the machine, nor can a file of an earlier version', async () => {
    await open();
    const modes = async () =>
      Object.fromEntries(
        await Promise.all((await readdir(folder)).map(async (name) => [name, ((await stat(join(folder, name))).mode & 0o777).toString(8)])),
      ) as Record<string, string>;
    const expected = { 'orchestrator.db': '600', 'orchestrator.db-wal': '600', 'orchestrator.db-shm': '600' };
    expect(await modes()).toEqual(expected);
    // The first connection stays open, so the log files stay too, as after a crash.
    for (const name of Object.keys(expected)) await chmod(join(folder, name), 0o644);
    await open();
    expect(await modes()).toEqual(expected);
  });

  it('has exactly the tables and indices that the entities describe', async () => {
    const dataSource = await open();
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  it('uses an index for the reads at start', async () => {
    const dataSource = await open();
    const plan = async (sql: string) => JSON.stringify(await dataSource.query(`EXPLAIN QUERY PLAN ${sql}`));
    expect(await plan(`SELECT * FROM streams WHERE status = 'started' ORDER BY started_at`)).toContain('USING INDEX streams_by_status');
    expect(await plan(`SELECT * FROM streams ORDER BY started_at DESC LIMIT 10`)).toContain('USING INDEX streams_by_start');
  });

  it('keeps the installation id over restarts', async () => {
    const first = await open();
    const id = await InstallationId.load(first);
    expect(id.value).toMatch(/^[0-9a-f-]{36}$/);
    await first.destroy();
    expect((await InstallationId.load(await open())).value).toBe(id.value);
  });

  it('a file that is damaged or not a database is rejected with its name, and not changed', async () => {
    const junk = `no database at all ${'x'.repeat(5000)}`;
    await writeFile(file, junk);
    await expect(openDatabase(file)).rejects.toMatchObject({
      code: 'database_unusable',
      message: expect.stringMatching(/orchestrator\.db cannot be used: it is damaged or not a SQLite database; restore a backup/),
    });
    expect(await readFile(file, 'utf8')).toBe(junk);
  });

  it('a folder is rejected', async () => {
    await mkdir(file);
    await expect(openDatabase(file)).rejects.toMatchObject({ code: 'database_unusable' });
  });

  it.skipIf(process.getuid?.() === 0 && !HAS_CHATTR)(
    'that may be read and not written is refused at the start, and not at the first event',
    async () => {
      await (await open()).destroy();
      const protect = (flag: '+i' | '-i', mode: number): unknown =>
        // Root may write what the mode forbids.
        process.getuid?.() === 0 ? execFileSync('chattr', [flag, file]) : chmod(file, mode);
      await protect('+i', 0o444);
      try {
        await expect(openDatabase(file)).rejects.toThrow(`${file} cannot be used: this user may not read and write it`);
      } finally {
        await protect('-i', 0o644);
      }
    },
  );

  it.skipIf(process.getuid?.() === 0)('that may not be read is rejected with the reason (root may read everything)', async () => {
    await writeFile(file, '');
    await chmod(file, 0o000);
    await expect(openDatabase(file)).rejects.toThrow('this user may not read and write it');
  });

  it('a start waits while another process locks it', async () => {
    const other = new Database(file);
    other.exec('BEGIN EXCLUSIVE');
    const opening = open();
    const free = setTimeout(() => other.exec('COMMIT'), 200);
    const dataSource = await opening;
    clearTimeout(free);
    expect(other.inTransaction).toBe(false);
    other.close();
    expect(await new DatabaseHealth(dataSource).isReachable()).toBe(true);
  });

  it('a later start does not write to it', async () => {
    const first = await open();
    const { value } = await InstallationId.load(first);
    await first.destroy();
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    expect((await InstallationId.load(await open())).value).toBe(value);
    other.close();
  });
});

describe('the stream history', () => {
  async function history(): Promise<StreamHistory> {
    const dataSource = await open();
    return new StreamHistory(dataSource, new WriteQueue(dataSource, SILENT_LOG));
  }

  it('loads what was saved, field by field', async () => {
    const streams = await history();
    const full = row('s1', {
      infohash: 'ab'.repeat(20),
      title: 'Channel one',
      proxyId: 'proxy-1',
      isLive: false,
      endedAt: '2026-01-01T13:00:00.000Z',
      endReason: 'left',
      status: 'ended',
    });
    await streams.save(full);
    expect(await streams.loadRecent(10)).toEqual([full]);
  });

  it('keeps one row for each stream, with its latest state', async () => {
    const streams = await history();
    await streams.save(row('s1'));
    await streams.save(row('s1', { containerId: 'other', status: 'ended', endedAt: '2026-01-01T13:00:00.000Z' }));
    expect(await streams.loadRecent(10)).toMatchObject([{ id: 's1', containerId: 'other', status: 'ended' }]);
    expect(await streams.loadOpen()).toEqual([]);
  });

  it('keeps the order of saves made without waiting', async () => {
    const streams = await history();
    await Promise.all(Array.from({ length: 250 }, (_, count) => streams.save(row('s1', { playbackSessionId: `p${count}` }))));
    expect(await streams.loadRecent(10)).toMatchObject([{ playbackSessionId: 'p249' }]);
  });

  it('saves the row as it was at the call', async () => {
    const streams = await history();
    const changing = row('s1');
    const saved = streams.save(changing);
    changing.key = 'changed';
    await saved;
    expect((await streams.loadOpen())[0].key).not.toBe('changed');
  });

  it('loads open streams oldest first and recent streams newest first, up to the limit', async () => {
    const streams = await history();
    const at = (hour: number) => `2026-01-01T${String(hour).padStart(2, '0')}:00:00.000Z`;
    await Promise.all(
      [3, 1, 2].map((hour) =>
        streams.save(row(`s${hour}`, { startedAt: at(hour), ...(hour === 1 && { status: 'ended', endedAt: at(4) }) })),
      ),
    );
    expect((await streams.loadOpen()).map(({ id }) => id)).toEqual(['s2', 's3']);
    expect((await streams.loadRecent(2)).map(({ id }) => id)).toEqual(['s3', 's2']);
  });
});

describe('the health of the database', () => {
  it('is up while the database can be read, also while another process writes, and down when it is closed', async () => {
    const dataSource = await open();
    const health = new DatabaseHealth(dataSource);
    expect(await health.isReachable()).toBe(true);
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    expect(await health.isReachable()).toBe(true);
    other.close();
    await dataSource.destroy();
    expect(await health.isReachable()).toBe(false);
  });
});

describe('the database module', () => {
  @Module({})
  class Surroundings {}

  async function start(settings: DatabaseSettings) {
    const module = {
      module: Surroundings,
      global: true,
      providers: [
        { provide: DatabaseSettings, useValue: settings },
        { provide: Log, useValue: SILENT_LOG },
      ],
      exports: [DatabaseSettings, Log],
    };
    return (await Test.createTestingModule({ imports: [module, DatabaseModule] }).compile()).init();
  }

  it('provides its services, and commits waiting writes when the service ends', async () => {
    const settings = loadSettings(DatabaseSettings, { DB_URL: `sqlite:///${file}` });
    const app = await start(settings);
    const saved = app.get(StreamHistory).save(row('s1'));
    const id = app.get(InstallationId).value;
    await app.close();
    await saved;
    const again = await start(settings);
    expect(again.get(InstallationId).value).toBe(id);
    expect(await again.get(StreamHistory).loadOpen()).toHaveLength(1);
    await again.close();
  });

  it('fails with the error of opening the file', async () => {
    await writeFile(file, 'x'.repeat(5000));
    await expect(start(loadSettings(DatabaseSettings, { DB_URL: `sqlite:///${file}` }))).rejects.toMatchObject({
      code: 'database_unusable',
    });
  });
});
