import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { StreamRow } from './stream-row.entity.js';
import { WriteQueue } from './write-queue.js';

/** Rows removed in one transaction. */
const BITE = 500;

/** Streams as the database remembers them. Reads are for the start of the service and for history; the API answers from memory. */
@Injectable()
export class StreamHistory {
  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {}

  /** Adds the stream, or replaces what is known of it; resolves after the commit. */
  save(row: StreamRow): Promise<void> {
    // A copy: the caller's object may go on changing while this waits for its turn.
    const copy = { ...row };
    return this.writes.write((manager) => manager.upsert(StreamRow, copy, ['id']));
  }

  /** All that have not ended, oldest first. */
  loadOpen(): Promise<StreamRow[]> {
    return this.dataSource.getRepository(StreamRow).find({ where: { status: 'started' }, order: { startedAt: 'ASC' } });
  }

  /**
   * Forgets ended streams: those that ended before `before`, and of the others all but the newest `keep` (at least 1). In bites, so that nothing else
   * waits long. @returns how many
   */
  async forgetEnded(before: Date, keep: number): Promise<number> {
    let removed = 0;
    for (let bite = BITE; bite === BITE; removed += bite) {
      await this.writes.write(async (manager) => {
        await manager.query(
          `DELETE FROM "streams" WHERE "id" IN (
             SELECT "id" FROM "streams" WHERE "status" = 'ended' AND ("ended_at" < ? OR "started_at" < (
               SELECT "started_at" FROM "streams" WHERE "status" = 'ended' ORDER BY "started_at" DESC LIMIT 1 OFFSET ?)) LIMIT ?)`,
          [before.toISOString(), keep - 1, BITE],
        );
        [{ changes: bite }] = (await manager.query('SELECT changes() AS "changes"')) as { changes: number }[];
      });
    }
    return removed;
  }

  /** The latest, newest first, open ones included. */
  loadRecent(limit: number): Promise<StreamRow[]> {
    return this.dataSource.getRepository(StreamRow).find({ order: { startedAt: 'DESC' }, take: limit });
  }
}
