import { counterOf, readGauge, histogramOf } from '@acexy/service-kit';
import { statSync } from 'node:fs';

/** Seconds: a batch of small rows takes milliseconds, a VACUUM by an operator locks the database for seconds. */
const COMMIT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const BATCH_BUCKETS = [1, 2, 5, 10, 20, 50, 100];

export class DatabaseMetrics {
  private readonly commits = histogramOf('orch_database_commit_seconds', 'Seconds per transaction, including retries', COMMIT_BUCKETS);
  private readonly batches = histogramOf('orch_database_batch_writes', 'Writes per transaction', BATCH_BUCKETS);
  readonly retries = counterOf('orch_database_busy_retries_total', 'Retries because another process has locked the database');
  readonly failures = counterOf('orch_database_write_errors_total', 'Failed writes');

  /** @param waiting number of writes that wait for a transaction @param file path of the database */
  constructor(waiting: () => number, file: string) {
    readGauge('orch_database_queue_waiting', 'Writes that wait for a transaction', [], (set) => set(waiting()));
    readGauge('orch_database_size_bytes', 'Size of the database files', ['file'], (set) => {
      set(sizeOf(file), { file: 'main' });
      set(sizeOf(`${file}-wal`), { file: 'wal' });
    });
  }

  committed(writes: number, seconds: number): void {
    this.commits.observe(seconds);
    this.batches.observe(writes);
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
