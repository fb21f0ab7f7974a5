import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { InstallationRow } from './installation-row.entity.js';

const ONLY_ROW = 1;

/** Names this installation over restarts, so that two of them on one Docker Engine leave each other's engines alone. */
export class InstallationId {
  constructor(readonly value: string) {}

  /** The one that the database holds; made at the first start. */
  static async load(dataSource: DataSource, now: Date = new Date()): Promise<InstallationId> {
    const rows = dataSource.getRepository(InstallationRow);
    // Asked for again after the insert: where two services start on a fresh database, one of them made the row.
    await rows
      .createQueryBuilder()
      .insert()
      .orIgnore()
      .values({ id: ONLY_ROW, uuid: randomUUID(), createdAt: now.toISOString() })
      .execute();
    const { uuid } = await rows.findOneByOrFail({ id: ONLY_ROW });
    return new InstallationId(uuid);
  }
}
