import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { isSqliteBusy } from './sqlite-busy.js';

/** For readiness. */
@Injectable()
export class DatabaseHealth {
  constructor(private readonly dataSource: DataSource) {}

  /** A database that another process has locked counts as reachable. */
  async isReachable(): Promise<boolean> {
    try {
      await this.dataSource.query('SELECT "id" FROM "installation" LIMIT 1');
      return true;
    } catch (error) {
      return isSqliteBusy(error);
    }
  }
}
