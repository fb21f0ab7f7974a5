import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { databaseFile, DatabaseSettings } from './database-settings.js';
import { DatabaseCompaction } from './compaction.js';
import { DatabaseHealth } from './database-health.js';
import { DatabaseLock } from './database-lock.js';
import { InstallationId } from './installation-id.js';
import { dataSourceOptions, openDatabase } from './open-database.js';
import { PoolOrders } from './pool-orders.js';
import { StatHistory } from './stat-history.js';
import { StreamHistory } from './stream-history.js';
import { WriteQueue } from './write-queue.js';

/** Taken before the database is opened: no second orchestrator runs migrations. */
@Module({
  providers: [
    {
      provide: DatabaseLock,
      inject: [DatabaseSettings],
      useFactory: (settings: DatabaseSettings) => DatabaseLock.acquire(databaseFile(settings.dbUrl)),
    },
  ],
  exports: [DatabaseLock],
})
class DatabaseLockModule {}

/** What is kept over restarts: one SQLite file, written through one queue. */
@Module({
  imports: [
    DatabaseLockModule,
    TypeOrmModule.forRootAsync({
      imports: [DatabaseLockModule],
      inject: [DatabaseSettings, DatabaseLock],
      // `openDatabase` retries what a retry can solve; everything else needs the operator.
      useFactory: (settings: DatabaseSettings) => ({ ...dataSourceOptions(databaseFile(settings.dbUrl)), toRetry: () => false }),
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
  exports: [StreamHistory, PoolOrders, StatHistory, DatabaseCompaction, DatabaseHealth, DatabaseLockModule, InstallationId, WriteQueue],
})
export class DatabaseModule {}
