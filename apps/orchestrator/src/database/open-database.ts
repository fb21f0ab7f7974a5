import { existsSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DataSource } from 'typeorm';
import type { BetterSqlite3DataSourceOptions } from 'typeorm/driver/better-sqlite3/BetterSqlite3DataSourceOptions.js';
import { InstallationRow } from './installation-row.entity.js';
import { MIGRATIONS } from './migrations/index.js';
import { PoolRow } from './pool-row.entity.js';
import { isSqliteBusy, sqliteCode, whileBusyRetry } from './sqlite-busy.js';
import { StreamRow } from './stream-row.entity.js';
import { StreamStatRow } from './stream-stat-row.entity.js';

/** Milliseconds that the driver blocks the event loop for a busy database before it gives up and the queue takes over. */
const DRIVER_BUSY_MS = 5;
/** How long a start waits for a database that somebody else is busy with. */
const OPEN_BUDGET_MS = 30_000;

const NOT_OURS = 'it may not be read and written by this user';

/** `incremental`, as a number. */
const AUTO_VACUUM = 2;
const LOG_KEPT_BYTES = 4 * 1024 * 1024;

/** The database cannot be used; the message names the file, what is wrong and what to do. */
export class DatabaseUnusableError extends Error {
  readonly code = 'database_unusable';

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`the database ${file} cannot be used: ${problem} (DB_URL)`, options);
    this.name = 'DatabaseUnusableError';
  }
}

export function dataSourceOptions(file: string): BetterSqlite3DataSourceOptions {
  return {
    type: 'better-sqlite3',
    database: file,
    entities: [InstallationRow, PoolRow, StreamRow, StreamStatRow],
    migrations: MIGRATIONS,
    migrationsTransactionMode: 'all',
    synchronize: false,
    logging: false,
    timeout: DRIVER_BUSY_MS,
    enableWAL: true,
    prepareDatabase: (database: { pragma(text: string, options?: { simple: boolean }): unknown }) => {
      // Free pages can then be given back bit by bit. Only a file without tables takes it over, and to ask is to write.
      if (database.pragma('page_count', { simple: true }) === 0) database.pragma(`auto_vacuum = ${AUTO_VACUUM}`);
      // With WAL, NORMAL loses nothing when the process is killed; a power cut may lose the last commits, never the file.
      database.pragma('synchronous = NORMAL');
      // A VACUUM by hand writes the whole database into the log; the log is cut to this again afterwards.
      database.pragma(`journal_size_limit = ${LOG_KEPT_BYTES}`);
    },
  };
}

/**
 * Opens the file, made where it does not exist, and brings its tables up to date.
 * @throws DatabaseUnusableError
 */
export async function openDatabase(file: string): Promise<DataSource> {
  await makeFolder(file);
  // SQLite opens a file that it may only read without a word, and a start with all tables up to date writes nothing: the first event would tell.
  if (existsSync(file) && !(await isWritable(file))) throw new DatabaseUnusableError(file, NOT_OURS);
  try {
    return await whileBusyRetry(() => initialize(file), OPEN_BUDGET_MS);
  } catch (error) {
    throw new DatabaseUnusableError(file, await problemOf(error, file), { cause: error });
  }
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

/** A file of an earlier release, or one that a tool has made anew: written once more, before anybody waits for it. */
async function makeCompactable(dataSource: DataSource): Promise<void> {
  const [{ auto_vacuum: mode }] = (await dataSource.query('PRAGMA auto_vacuum')) as { auto_vacuum: number }[];
  if (mode === AUTO_VACUUM) return;
  await dataSource.query(`PRAGMA auto_vacuum = ${AUTO_VACUUM}`);
  await dataSource.query('VACUUM');
}

async function makeFolder(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
  } catch (error) {
    throw new DatabaseUnusableError(file, `its folder cannot be made (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
}

async function problemOf(error: unknown, file: string): Promise<string> {
  const code = sqliteCode(error);
  if (isSqliteBusy(error)) return `another program has held it for ${OPEN_BUDGET_MS / 1000} s`;
  switch (code) {
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return 'it is damaged or no SQLite database; move it away to start with an empty one, or restore a copy';
    case 'SQLITE_FULL':
      return 'the disk is full';
    case 'SQLITE_READONLY':
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_IOERR':
      return (await isWritable(file)) ? `it cannot be opened (${code})` : NOT_OURS;
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

async function isWritable(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    // That it cannot be accessed is the answer.
    return false;
  }
}
