import { Injectable } from '@nestjs/common';
import { DataSource, LessThan } from 'typeorm';
import { StreamStatRow } from './stream-stat-row.entity.js';
import { WriteQueue } from './write-queue.js';

/** Keeps a statement below SQLite's limit of bound values. */
const ROWS_PER_STATEMENT = 100;

/** Stream statistics in the database. */
@Injectable()
export class StatHistory {
  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {}

  /** Resolves after the commit. */
  async append(rows: readonly StreamStatRow[]): Promise<void> {
    const parts: StreamStatRow[][] = [];
    for (let first = 0; first < rows.length; first += ROWS_PER_STATEMENT) parts.push(rows.slice(first, first + ROWS_PER_STATEMENT));
    await Promise.all(
      parts.map((part) =>
        this.writes.write((manager) => manager.createQueryBuilder().insert().into(StreamStatRow).values(part).orIgnore().execute()),
      ),
    );
  }

  /** The latest rows of a stream, oldest first. */
  async load(streamId: string, limit: number): Promise<StreamStatRow[]> {
    const rows = await this.dataSource.getRepository(StreamStatRow).find({ where: { streamId }, order: { ts: 'DESC' }, take: limit });
    return rows.reverse();
  }

  /** Ids of all streams that have rows. */
  async streamIds(): Promise<string[]> {
    const rows = (await this.dataSource.query('SELECT DISTINCT "stream_id" AS "id" FROM "stream_stats"')) as { id: string }[];
    return rows.map(({ id }) => id);
  }

  /** @param before wall time in milliseconds; without it all rows of the stream are deleted @returns number of deleted rows */
  async delete(streamId: string, before = Number.MAX_SAFE_INTEGER): Promise<number> {
    let rows = 0;
    await this.writes.write(async (manager) => {
      rows = (await manager.delete(StreamStatRow, { streamId, ts: LessThan(before) })).affected ?? 0;
    });
    return rows;
  }
}
