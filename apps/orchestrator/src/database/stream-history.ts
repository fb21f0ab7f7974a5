import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { StreamRow } from './stream-row.entity.js';
import { WriteQueue } from './write-queue.js';

/** Rows deleted in one transaction. */
const BATCH = 500;

/** Streams in the database; read only at the start of the service. */
@Injectable()
export class StreamHistory {
  private readonly columns: readonly ColumnMetadata[];
  private readonly upsert: string;

  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {
    this.columns = dataSource.getMetadata(StreamRow).columns;
    this.upsert = upsertOf(this.columns);
  }

  /** Inserts or replaces a stream; resolves after the commit. */
  save(row: StreamRow): Promise<void> {
    // Read now, because the caller may change the object before the write.
    const values = this.columns.map((column) => column.getEntityValue(row) as unknown);
    return this.writes.write((manager) => manager.query(this.upsert, values));
  }

  /** Streams that have not ended, oldest first. */
  loadOpen(): Promise<StreamRow[]> {
    return this.dataSource.getRepository(StreamRow).find({ where: { status: 'started' }, order: { startedAt: 'ASC' } });
  }

  /**
   * Deletes streams that ended before `before`, and all other ended ones except the newest `keep` (at least 1). In batches, so that other writes do not
   * wait long. @returns number of deleted rows
   */
  async deleteEnded(before: Date, keep: number): Promise<number> {
    let removed = 0;
    for (let batch = BATCH; batch === BATCH; removed += batch) {
      await this.writes.write(async (manager) => {
        await manager.query(
          `DELETE FROM "streams" WHERE "id" IN (
             SELECT "id" FROM "streams" WHERE "status" = 'ended' AND ("ended_at" < ? OR "started_at" < (
               SELECT "started_at" FROM "streams" WHERE "status" = 'ended' ORDER BY "started_at" DESC LIMIT 1 OFFSET ?)) LIMIT ?)`,
          [before.toISOString(), keep - 1, BATCH],
        );
        [{ changes: batch }] = (await manager.query('SELECT changes() AS "changes"')) as { changes: number }[];
      });
    }
    return removed;
  }

  /** The latest streams, playing or ended, newest first. */
  loadRecent(limit: number): Promise<StreamRow[]> {
    return this.dataSource.getRepository(StreamRow).find({ order: { startedAt: 'DESC' }, take: limit });
  }
}

/** Inserts or replaces one row. TypeORM would write this text anew for every row, which costs more than running it. */
function upsertOf(columns: readonly ColumnMetadata[]): string {
  const names = columns.map(({ databaseName }) => `"${databaseName}"`);
  const updates = names.map((name) => `${name} = excluded.${name}`);
  return `INSERT INTO "streams" (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ON CONFLICT ("id") DO UPDATE SET ${updates.join(', ')}`;
}
