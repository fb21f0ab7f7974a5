import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { DatabaseModule } from '../database/database.module.js';
import { StreamsModule } from '../streams/streams.module.js';
import { Upkeep } from './upkeep.service.js';

/** What grows is kept small. The collection by hand stands in the application: it asks the loop of the pool, too. */
@Module({
  imports: [ScheduleModule.forRoot(), DatabaseModule, StreamsModule],
  providers: [Upkeep],
  exports: [Upkeep],
})
export class MaintenanceModule {}
