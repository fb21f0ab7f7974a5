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

describe('the manual minimum', () => {
  let folder: string;
  let database: DataSource;
  let writes: WriteQueue;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'manual-minimum-'));
    database = await openDatabase(join(folder, 'test.db'));
    writes = new WriteQueue(database, SILENT_LOG);
  });
  afterEach(async () => {
    await writes.close();
    await database.destroy();
    rmSync(folder, { recursive: true });
  });

  const start = async (): Promise<ManualMinimum> => {
    const minimum = new ManualMinimum(new PoolOrders(database, writes), new FakeClock(), SILENT_LOG);
    await minimum.onModuleInit();
    return minimum;
  };

  it('is unset at first, takes effect at once, and is kept over restarts until it is removed', async () => {
    const minimum = await start();
    expect(minimum.value).toBeNull();
    const saved = minimum.set(7);
    expect(minimum.value).toBe(7);
    await saved;
    expect((await start()).value).toBe(7);
    await minimum.set(0);
    expect((await start()).value).toBe(0);
    await minimum.set(null);
    expect((await start()).value).toBeNull();
  });

  it('keeps the last of several simultaneous calls and notifies listeners of each', async () => {
    const minimum = await start();
    let changes = 0;
    minimum.onChange(() => (changes += 1));
    await Promise.all([minimum.set(3), minimum.set(9), minimum.set(null), minimum.set(4)]);
    expect([minimum.value, (await start()).value, changes]).toEqual([4, 4, 4]);
  });
});
