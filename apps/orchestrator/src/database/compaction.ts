import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { WriteQueue } from './write-queue.js';

/** Pages per batch, 4 KB each; a batch takes about a millisecond. */
const BATCH_PAGES = 200;

/** Shrinks the database file while the service runs. */
@Injectable()
export class DatabaseCompaction {
  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {}

  /** Removes free pages from the file and updates the statistics of SQLite's query planner. @returns number of removed pages */
  async run(): Promise<number> {
    const before = await this.freePages();
    for (let free = before; free > 0;) {
      // Through the driver: TypeORM steps a statement only once, and each step removes one page.
      await this.writes.write(async () => this.driver().exec(`PRAGMA incremental_vacuum(${BATCH_PAGES})`));
      const left = await this.freePages();
      if (left >= free) break;
      free = left;
    }
    await this.writes.write((manager) => manager.query('PRAGMA optimize'));
    return before - (await this.freePages());
  }

  private async freePages(): Promise<number> {
    const [{ freelist_count: pages }] = (await this.dataSource.query('PRAGMA freelist_count')) as { freelist_count: number }[];
    return pages;
  }

  private driver(): { exec(sql: string): void } {
    return (this.dataSource.driver as unknown as { databaseConnection: { exec(sql: string): void } }).databaseConnection;
  }
}
