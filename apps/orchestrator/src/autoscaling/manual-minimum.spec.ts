import { SILENT_LOG } from '@acexy/service-kit';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { openDatabase } from '../database/open-database.js';
import { PoolOrders } from '../database/pool-orders.js';
import { WriteQueue } from '../database/write-queue.js';
import { ManualMinimum } from './manual-minimum.js';

describe('the manual floor', () => {
  let folder: string;
  let database: DataSource;
  let writes: WriteQueue;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'floor-'));
    database = await openDatabase(join(folder, 'test.db'));
    writes = new WriteQueue(database, SILENT_LOG);
  });
  afterEach(async () => {
    await writes.close();
    await database.destroy();
    rmSync(folder, { recursive: true });
  });

  const start = async (): Promise<ManualMinimum> => {
    const floor = new ManualMinimum(new PoolOrders(database, writes), new FakeClock(), SILENT_LOG);
    await floor.onModuleInit();
    return floor;
  };

  it('is none until one is ordered, in force at once, and kept over restarts until it is lifted', async () => {
    const floor = await start();
    expect(floor.value).toBeNull();
    const saved = floor.set(7);
    expect(floor.value).toBe(7);
    await saved;
    expect((await start()).value).toBe(7);
    expect(await floor.lift()).toBe(true);
    expect((await start()).value).toBeNull();
    expect(await floor.lift()).toBe(false);
  });

  it('the last of several orders at once is the one that stays, and each is told', async () => {
    const floor = await start();
    let changes = 0;
    floor.onChange(() => (changes += 1));
    await Promise.all([floor.set(3), floor.set(9), floor.lift(), floor.set(4)]);
    expect([floor.value, (await start()).value, changes]).toEqual([4, 4, 4]);
  });

  it('is an integer of at least 0', async () => {
    const floor = await start();
    for (const wrong of [-1, 1.5, NaN, Infinity]) await expect(floor.set(wrong)).rejects.toThrow('an integer of at least 0');
    await floor.set(0);
    expect((await start()).value).toBe(0);
  });
});
