import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { OrchestratorSettings } from '../settings.js';
import { DatabaseCompaction } from './compaction.js';
import { DatabaseHealth } from './database-health.js';
import { databaseFile } from './database-url.js';
import { InstallationId } from './installation-id.js';
import { dataSourceOptions, openDatabase } from './open-database.js';
import { PoolOrders } from './pool-orders.js';
import { StatHistory } from './stat-history.js';
import { StreamHistory } from './stream-history.js';
import { WriteQueue } from './write-queue.js';

/** Memory over restarts: one SQLite file, written through one queue. Wants OrchestratorSettings and Log from a global module. */
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [OrchestratorSettings],
      // What a retry could cure (a busy file) is retried where the file is opened; the rest needs the operator.
      useFactory: (settings: OrchestratorSettings) => ({ ...dataSourceOptions(databaseFile(settings.dbUrl)), toRetry: () => false }),
      dataSourceFactory: (options) => openDatabase(String(options?.database)),
    }),
  ],
  providers: [
    WriteQueue,
    StreamHistory,
    PoolOrders,
    StatHistory,
    DatabaseCompaction,
    DatabaseHealth,
    { provide: InstallationId, inject: [DataSource], useFactory: (dataSource: DataSource) => InstallationId.load(dataSource) },
  ],
  exports: [StreamHistory, PoolOrders, StatHistory, DatabaseCompaction, DatabaseHealth, InstallationId, WriteQueue],
})
export class DatabaseModule {}
