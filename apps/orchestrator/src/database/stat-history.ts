import { Injectable } from '@nestjs/common';
import { DataSource, LessThan } from 'typeorm';
import { StreamStatRow } from './stream-stat-row.entity.js';
import { WriteQueue } from './write-queue.js';

/** Rows in one statement: well below SQLite's limit of bound values. */
const ROWS_PER_STATEMENT = 100;

/** Statistics of streams as the database remembers them; the API answers from memory. */
@Injectable()
export class StatHistory {
  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {}

  /** Adds rows of any streams; resolves after the commit. */
  async append(rows: readonly StreamStatRow[]): Promise<void> {
    const parts: StreamStatRow[][] = [];
    for (let first = 0; first < rows.length; first += ROWS_PER_STATEMENT) parts.push(rows.slice(first, first + ROWS_PER_STATEMENT));
    await Promise.all(
      parts.map((part) =>
        this.writes.write((manager) => manager.createQueryBuilder().insert().into(StreamStatRow).values(part).orIgnore().execute()),
      ),
    );
  }

  /** The latest of a stream, oldest first. */
  async load(streamId: string, limit: number): Promise<StreamStatRow[]> {
    const rows = await this.dataSource.getRepository(StreamStatRow).find({ where: { streamId }, order: { ts: 'DESC' }, take: limit });
    return rows.reverse();
  }

  /** Every stream that has rows. */
  async streamIds(): Promise<string[]> {
    const rows = (await this.dataSource.query('SELECT DISTINCT "stream_id" AS "id" FROM "stream_stats"')) as { id: string }[];
    return rows.map(({ id }) => id);
  }

  /** Forgets the rows of a stream from before `before` (milliseconds since the epoch), or all of them. @returns how many */
  async forget(streamId: string, before = Number.MAX_SAFE_INTEGER): Promise<number> {
    let rows = 0;
    await this.writes.write(async (manager) => {
      rows = (await manager.delete(StreamStatRow, { streamId, ts: LessThan(before) })).affected ?? 0;
    });
    return rows;
  }
}
