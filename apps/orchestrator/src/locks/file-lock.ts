import { CodedError } from '@acexy/service-kit/primitives';
import Database from 'better-sqlite3';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Another process holds the lock. */
export class FileLockedError extends CodedError {
  readonly code = 'file_locked';

  constructor(
    file: string,
    /** Who holds it, for messages. */
    readonly holder: string,
    options?: ErrorOptions,
  ) {
    super(`${file} is locked by ${holder}`, options);
  }
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * A lock that the system releases when its process ends, also after SIGKILL, and that containers see through a shared volume. Node has no file locks,
 * SQLite has: the lock is an exclusive transaction in a file of its own.
 */
export class FileLock {
  private constructor(
    private readonly database: Database.Database,
    /** Names the file on this machine: a copy of the file has another id, the same file after a restart of the service has the same. */
    readonly id: string,
    /** Who holds the lock, for messages. */
    readonly holder: string,
  ) {}

  /**
   * @param file is created if it is missing, and stays; a text beside it names the holder
   * @throws FileLockedError, or an error of SQLite when the file cannot be used
   */
  static acquire(file: string): FileLock {
    const noteFile = `${file}.holder`;
    const database = new Database(file, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if ((error as { code?: unknown }).code !== 'SQLITE_BUSY') throw error;
      throw new FileLockedError(file, existsSync(noteFile) ? readFileSync(noteFile, 'utf8').trim() : 'an unknown process', {
        cause: error,
      });
    }
    const holder = `process ${process.pid} on ${hostname()} since ${new Date().toISOString()}`;
    try {
      writeFileSync(noteFile, `${holder}\n`);
      return new FileLock(database, identityOf(file), holder);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  release(): void {
    this.database.close();
  }
}

function identityOf(file: string): string {
  const { ino, birthtimeMs } = statSync(file);
  const boot = existsSync(BOOT_ID) ? readFileSync(BOOT_ID, 'utf8').trim() : hostname();
  return createHash('sha256').update([boot, ino, birthtimeMs].join(' ')).digest('hex').slice(0, 16);
}
