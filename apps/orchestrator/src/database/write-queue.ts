import { Log } from '@acexy/service-kit';
import { CodedError } from '@acexy/service-kit/primitives';
import { type BeforeApplicationShutdown, Injectable, Optional } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DatabaseMetrics } from './database-metrics.js';
import { isSqliteBusy, whileBusyRetry } from './sqlite-busy.js';

/** One small change. It may be repeated, so it must have no effect outside the database. */
export type Write = (manager: EntityManager) => Promise<unknown>;

export interface WriteQueueLimits {
  /** Maximum milliseconds that a write waits for others to share its commit. */
  gatherMs: number;
  /** Maximum writes in one transaction. */
  batchSize: number;
  /** Maximum writes that wait. */
  maxWaiting: number;
  /** How long a batch is retried while another process locks the database, in milliseconds. */
  busyBudgetMs: number;
}

/** A batch of 100 small rows takes about 10 ms, over as many turns of the event loop; a VACUUM by an operator may take a minute. */
export const WRITE_QUEUE_LIMITS: WriteQueueLimits = { gatherMs: 10, batchSize: 100, maxWaiting: 20_000, busyBudgetMs: 60_000 };

/** The disk is full, or another process has locked the database for minutes. */
export class WriteQueueFullError extends CodedError {
  readonly code = 'write_queue_full';

  constructor(waiting: number) {
    super(`${waiting} writes already wait for the database: check that the disk is not full and that no other program locks the file`);
  }
}

export class WriteQueueClosedError extends CodedError {
  readonly code = 'write_queue_closed';

  constructor() {
    super('the database is closed');
  }
}

interface Waiting {
  write: Write;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Runs all writes of the service in order, many in one transaction: a commit costs more than the writes in it, and SQLite allows one writer. A promise
 * resolves after the commit, so a kill does not lose what was acknowledged.
 */
@Injectable()
export class WriteQueue implements BeforeApplicationShutdown {
  private readonly waiting: Waiting[] = [];
  private gathering: NodeJS.Timeout | null = null;
  private draining: Promise<void> | null = null;
  private closed = false;
  private readonly log: Log;
  private readonly metrics: DatabaseMetrics;

  constructor(
    private readonly dataSource: DataSource,
    log: Log,
    @Optional() private readonly limits: WriteQueueLimits = WRITE_QUEUE_LIMITS,
  ) {
    this.log = log.child('database');
    this.metrics = new DatabaseMetrics(() => this.waiting.length, String(dataSource.options.database));
  }

  /**
   * Resolves after the commit.
   * @throws WriteQueueFullError, WriteQueueClosedError, or the error of this write; it does not affect other writes of its batch
   */
  write(write: Write): Promise<void> {
    if (this.closed) return Promise.reject(new WriteQueueClosedError());
    if (this.waiting.length >= this.limits.maxWaiting) return Promise.reject(new WriteQueueFullError(this.waiting.length));
    return new Promise((resolve, reject) => {
      this.waiting.push({ write, resolve, reject });
      if (this.draining) return;
      if (this.waiting.length >= this.limits.batchSize) this.drain();
      else this.gathering ??= setTimeout(() => this.drain(), this.limits.gatherMs);
    });
  }

  /** Commits all waiting writes and accepts no more. */
  async close(): Promise<void> {
    this.closed = true;
    this.drain();
    await this.draining;
  }

  /** After the last writes of all modules, and before TypeORM closes the connection. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.close();
  }

  private drain(): void {
    if (this.gathering) clearTimeout(this.gathering);
    this.gathering = null;
    if (this.waiting.length > 0) this.draining ??= this.commitAll();
  }

  private async commitAll(): Promise<void> {
    while (this.waiting.length > 0) await this.commit(this.waiting.splice(0, this.limits.batchSize));
    // In the same turn as the check above: a write in between would wait for a drain that has ended.
    this.draining = null;
  }

  private async commit(batch: readonly Waiting[]): Promise<void> {
    const startedAt = performance.now();
    try {
      await this.transaction(batch);
      this.metrics.committed(batch.length, (performance.now() - startedAt) / 1000);
    } catch (error) {
      if (batch.length > 1 && !isSqliteBusy(error)) {
        // One write is invalid: run alone, each gets its own result.
        for (const one of batch) await this.commit([one]);
        return;
      }
      this.metrics.failures.inc(batch.length);
      this.log.error('database write failed', { error, writes: batch.length });
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const { resolve } of batch) resolve();
  }

  private transaction(batch: readonly Waiting[]): Promise<void> {
    return whileBusyRetry(
      () =>
        this.dataSource.transaction(async (manager) => {
          for (const { write } of batch) await write(manager);
        }),
      this.limits.busyBudgetMs,
      () => this.metrics.retries.inc(),
    );
  }
}
