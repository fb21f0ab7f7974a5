import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { DatabaseModule } from '../database/database.module.js';
import { StreamsModule } from '../streams/streams.module.js';
import { Retention } from './retention.service.js';

/** What grows is kept small. The collection by hand stands in the application: it asks the loop of the pool, too. */
@Module({
  imports: [ScheduleModule.forRoot(), DatabaseModule, StreamsModule],
  providers: [Retention],
  exports: [Retention],
})
export class RetentionModule {}
