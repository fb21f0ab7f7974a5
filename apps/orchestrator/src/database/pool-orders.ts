import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { PoolRow } from './pool-row.entity.js';
import { WriteQueue } from './write-queue.js';

const ONLY_ROW = 1;

/** What the operator has ordered for the pool, kept over restarts. */
@Injectable()
export class PoolOrders {
  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {}

  async loadManualMinimum(): Promise<number | null> {
    const row = await this.dataSource.getRepository(PoolRow).findOneBy({ id: ONLY_ROW });
    return row?.manualMinimum ?? null;
  }

  /** Resolves after the commit; null deletes it. */
  saveManualMinimum(engines: number | null, now: Date): Promise<void> {
    if (engines === null) return this.writes.write((manager) => manager.delete(PoolRow, { id: ONLY_ROW }));
    const row = { id: ONLY_ROW, manualMinimum: engines, setAt: now.toISOString() };
    return this.writes.write((manager) => manager.upsert(PoolRow, row, ['id']));
  }
}
