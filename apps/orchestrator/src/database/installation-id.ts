import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { InstallationRow } from './installation-row.entity.js';
import { whileBusyRetry } from './sqlite-busy.js';

const ONLY_ROW = 1;
const INSERT_BUDGET_MS = 30_000;

/** Names this installation over restarts, so that two of them on one Docker Engine leave each other's engines alone. */
export class InstallationId {
  constructor(readonly value: string) {}

  /** The one that the database holds; made at the first start. */
  static async load(dataSource: DataSource, now: Date = new Date()): Promise<InstallationId> {
    const rows = dataSource.getRepository(InstallationRow);
    const existing = await rows.findOneBy({ id: ONLY_ROW });
    if (existing) return new InstallationId(existing.uuid);
    const made = { id: ONLY_ROW, uuid: randomUUID(), createdAt: now.toISOString() };
    await whileBusyRetry(() => rows.createQueryBuilder().insert().orIgnore().values(made).execute(), INSERT_BUDGET_MS);
    // Read again: where two services start on a fresh database, one of them made the row.
    return new InstallationId((await rows.findOneByOrFail({ id: ONLY_ROW })).uuid);
  }
}
