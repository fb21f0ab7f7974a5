import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { StreamRow } from './stream-row.entity.js';
import { WriteQueue } from './write-queue.js';

/** Rows deleted in one transaction. */
const BATCH = 500;

/** Streams in the database; read only at the start of the service. */
@Injectable()
export class StreamHistory {
  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {}

  /** Inserts or replaces a stream; resolves after the commit. */
  save(row: StreamRow): Promise<void> {
    // A copy, because the caller may change the object before the write.
    const copy = { ...row };
    return this.writes.write((manager) => manager.upsert(StreamRow, copy, ['id']));
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
