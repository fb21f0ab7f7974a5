import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { StreamRow } from './stream-row.entity.js';
import { WriteQueue } from './write-queue.js';

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

  /** The latest, newest first, open ones included. */
  loadRecent(limit: number): Promise<StreamRow[]> {
    return this.dataSource.getRepository(StreamRow).find({ order: { startedAt: 'DESC' }, take: limit });
  }
}
