import { CodedError } from '@acexy/service-kit/primitives';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { FileLock, FileLockedError } from '../locks/file-lock.js';
import { databaseUnusable, makeFolder } from './open-database.js';

/** Two orchestrators with one database would manage the same engines, and overwrite each other's records. */
export class DatabaseInUseError extends CodedError {
  readonly code = 'database_in_use';

  constructor(file: string, holder: string, options?: ErrorOptions) {
    super(
      `DB_URL: the database ${file} is in use by another orchestrator (${holder}): stop that orchestrator, or set another DB_URL for this one`,
      options,
    );
  }
}

/** Held as long as the service runs. It locks a file beside the database, so that other programs can read the database. */
@Injectable()
export class DatabaseLock implements OnApplicationShutdown {
  private constructor(private readonly lock: FileLock) {}

  /** @throws DatabaseInUseError; DatabaseUnusableError */
  static async acquire(file: string): Promise<DatabaseLock> {
    await makeFolder(file);
    try {
      return new DatabaseLock(FileLock.acquire(`${file}.lock`));
    } catch (error) {
      if (error instanceof FileLockedError) throw new DatabaseInUseError(file, error.holder, { cause: error });
      throw await databaseUnusable(error, file);
    }
  }

  /** Names this database on this machine; a copy of the database has another id. */
  get id(): string {
    return this.lock.id;
  }

  /** This process, for messages. */
  get holder(): string {
    return this.lock.holder;
  }

  onApplicationShutdown(): void {
    this.lock.release();
  }
}
