import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { PoolRow } from './pool-row.entity.js';
import { WriteQueue } from './write-queue.js';

const ONLY_ROW = 1;

/** What the database remembers of an operator's orders for the pool. */
@Injectable()
export class PoolOrders {
  constructor(
    private readonly dataSource: DataSource,
    private readonly writes: WriteQueue,
  ) {}

  /** The manual floor, or null where none was ordered. */
  async loadFloor(): Promise<number | null> {
    const row = await this.dataSource.getRepository(PoolRow).findOneBy({ id: ONLY_ROW });
    return row?.manualFloor ?? null;
  }

  /** Resolves after the commit; null forgets it. */
  saveFloor(floor: number | null, now: Date): Promise<void> {
    if (floor === null) return this.writes.write((manager) => manager.delete(PoolRow, { id: ONLY_ROW }));
    const row = { id: ONLY_ROW, manualFloor: floor, setAt: now.toISOString() };
    return this.writes.write((manager) => manager.upsert(PoolRow, row, ['id']));
  }
}
