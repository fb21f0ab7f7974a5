import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { InstallationRow } from './installation-row.entity.js';
import { whileBusyRetry } from './sqlite-busy.js';

const ONLY_ROW = 1;
const INSERT_BUDGET_MS = 30_000;

/** Random id of this installation, so that two installations on one Docker Engine do not touch each other's engines. */
export class InstallationId {
  constructor(readonly value: string) {}

  /** Loads the id from the database; the first start creates it. */
  static async load(dataSource: DataSource, now: Date = new Date()): Promise<InstallationId> {
    const rows = dataSource.getRepository(InstallationRow);
    const existing = await rows.findOneBy({ id: ONLY_ROW });
    if (existing) return new InstallationId(existing.uuid);
    const made = { id: ONLY_ROW, uuid: randomUUID(), createdAt: now.toISOString() };
    await whileBusyRetry(() => rows.createQueryBuilder().insert().orIgnore().values(made).execute(), INSERT_BUDGET_MS);
    // Read again: when two services start with an empty database, only one of them creates the row.
    return new InstallationId((await rows.findOneByOrFail({ id: ONLY_ROW })).uuid);
  }
}
