import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { isSqliteBusy } from './sqlite-busy.js';

/** Whether the database can be used, for readiness. */
@Injectable()
export class DatabaseHealth {
  constructor(private readonly dataSource: DataSource) {}

  /** Reads one row of ours. A database that is busy with somebody else's work is reachable. */
  async isReachable(): Promise<boolean> {
    try {
      await this.dataSource.query('SELECT "id" FROM "installation" LIMIT 1');
      return true;
    } catch (error) {
      return isSqliteBusy(error);
    }
  }
}
