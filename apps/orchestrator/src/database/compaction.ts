import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { WriteQueue } from './write-queue.js';

/** Pages given back at a time, 4 KB each: a bite of about a millisecond, so that nobody waits for it. */
const BITE_PAGES = 200;

/** Gives back what the database file does not need any more, while everything else goes on. */
@Injectable()
export class DatabaseCompaction {
  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {}

  /** Shortens the file by its free pages, and lets SQLite measure again what its plans rest on. @returns the pages given back */
  async run(): Promise<number> {
    const before = await this.freePages();
    for (let free = before; free > 0;) {
      // TypeORM steps a statement once, and each step would give back one page only.
      await this.writes.write(async () => this.driver().exec(`PRAGMA incremental_vacuum(${BITE_PAGES})`));
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
