import { existsSync } from 'node:fs';
import { access, chmod, constants, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DataSource } from 'typeorm';
import type { BetterSqlite3DataSourceOptions } from 'typeorm/driver/better-sqlite3/BetterSqlite3DataSourceOptions.js';
import { CodedError, messageOf } from '@acexy/service-kit/primitives';
import { InstallationRow } from './installation-row.entity.js';
import { CreateInstallationAndStreams1764000000000 } from './migrations/1764000000000-create-installation-and-streams.js';
import { CreatePool1764010000000 } from './migrations/1764010000000-create-pool.js';
import { CreateStreamStats1764020000000 } from './migrations/1764020000000-create-stream-stats.js';
import { AddTitleOfStreams1764030000000 } from './migrations/1764030000000-add-title-of-streams.js';
import { PoolRow } from './pool-row.entity.js';
import { isSqliteBusy, sqliteCode, whileBusyRetry } from './sqlite-busy.js';
import { StreamRow } from './stream-row.entity.js';
import { StreamStatRow } from './stream-stat-row.entity.js';

/** Milliseconds for which the driver blocks the event loop when the database is locked; after that the queue retries. */
const DRIVER_BUSY_MS = 5;
/** How long a start waits for a database that another process has locked. */
const OPEN_BUDGET_MS = 30_000;

/** It contains what was watched and when. */
const PRIVATE_MODE = 0o600;
const NO_PERMISSION = 'this user may not read and write it; change its owner or permissions';

/** Number of the mode `incremental`. */
const AUTO_VACUUM = 2;
const MAX_LOG_BYTES = 4 * 1024 * 1024;

/** The message names the file, what is wrong and what to do. */
export class DatabaseUnusableError extends CodedError {
  readonly code = 'database_unusable';

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`DB_URL: the database ${file} cannot be used: ${problem}`, options);
  }
}

export function dataSourceOptions(file: string): BetterSqlite3DataSourceOptions {
  return {
    type: 'better-sqlite3',
    database: file,
    entities: [InstallationRow, PoolRow, StreamRow, StreamStatRow],
    // In the order in which they are applied. A released migration is never changed.
    migrations: [
      CreateInstallationAndStreams1764000000000,
      CreatePool1764010000000,
      CreateStreamStats1764020000000,
      AddTitleOfStreams1764030000000,
    ],
    migrationsTransactionMode: 'all',
    synchronize: false,
    logging: false,
    timeout: DRIVER_BUSY_MS,
    enableWAL: true,
    prepareDatabase: (database: { pragma(text: string, options?: { simple: boolean }): unknown }) => {
      // So that free pages can be removed in batches. It only takes effect in a file without tables.
      if (database.pragma('page_count', { simple: true }) === 0) database.pragma(`auto_vacuum = ${AUTO_VACUUM}`);
      // With WAL, NORMAL loses nothing when the process is killed. A power failure can lose the last commits, but not damage the file.
      database.pragma('synchronous = NORMAL');
      // A VACUUM by an operator writes the whole database into the log; afterwards the log is truncated to this size.
      database.pragma(`journal_size_limit = ${MAX_LOG_BYTES}`);
    },
  };
}

/**
 * Opens the file, creates it if it is missing, and runs the migrations.
 * @throws DatabaseUnusableError
 */
export async function openDatabase(file: string): Promise<DataSource> {
  await makeFolder(file);
  // SQLite opens a read-only file without an error, and a start without migrations writes nothing: the first event would fail.
  if (existsSync(file) && !(await isWritable(file))) throw new DatabaseUnusableError(file, NO_PERMISSION);
  await makePrivate(file);
  try {
    return await whileBusyRetry(() => initialize(file), OPEN_BUDGET_MS);
  } catch (error) {
    throw await databaseUnusable(error, file);
  }
}

export async function databaseUnusable(error: unknown, file: string): Promise<DatabaseUnusableError> {
  return new DatabaseUnusableError(file, await problemOf(error, file), { cause: error });
}

async function initialize(file: string): Promise<DataSource> {
  const dataSource = new DataSource(dataSourceOptions(file));
  await dataSource.initialize();
  try {
    await dataSource.runMigrations();
    await makeCompactable(dataSource);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

/** Rewrites a file of an earlier release, or one that a tool has created, so that free pages can be removed. */
async function makeCompactable(dataSource: DataSource): Promise<void> {
  const [{ auto_vacuum: mode }] = (await dataSource.query('PRAGMA auto_vacuum')) as { auto_vacuum: number }[];
  if (mode === AUTO_VACUUM) return;
  await dataSource.query(`PRAGMA auto_vacuum = ${AUTO_VACUUM}`);
  await dataSource.query('VACUUM');
}

/** @throws DatabaseUnusableError */
export async function makeFolder(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
  } catch (error) {
    throw new DatabaseUnusableError(file, `its folder cannot be created (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
}

/** Creates a missing file with its mode: SQLite would use the umask, and it gives its log files the mode of the database. */
async function makePrivate(file: string): Promise<void> {
  if (!existsSync(file)) await writeFile(file, '', { flag: 'ax', mode: PRIVATE_MODE }).catch(reportedBySqlite);
  for (const each of [file, `${file}-wal`, `${file}-shm`]) await chmod(each, PRIVATE_MODE).catch(reportedBySqlite);
}

/**
 * The log files are often missing, another process may have just created the database, and only the owner of a file may change its mode. If
 * the service cannot use the database, SQLite fails next, and that error has its own text.
 */
const reportedBySqlite = (): void => undefined;

async function problemOf(error: unknown, file: string): Promise<string> {
  const code = sqliteCode(error);
  if (isSqliteBusy(error)) return `another program has locked it for ${OPEN_BUDGET_MS / 1000} s; stop that program`;
  switch (code) {
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return 'it is damaged or not a SQLite database; restore a backup, or move it away to start with an empty one';
    case 'SQLITE_FULL':
      return 'the disk is full; free some space';
    case 'SQLITE_READONLY':
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_IOERR':
      return (await isWritable(file)) ? `it cannot be opened (${code})` : NO_PERMISSION;
    default:
      return messageOf(error);
  }
}

async function isWritable(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
