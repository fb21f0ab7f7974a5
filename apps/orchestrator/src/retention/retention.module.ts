import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AutoscalingModule } from '../autoscaling/autoscaling.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { EnginesModule } from '../engines/engines.module.js';
import { StreamsModule } from '../streams/streams.module.js';
import { GcController } from './gc.controller.js';
import { Retention } from './retention.service.js';

/** Deletes old database rows every ten minutes; `POST /gc` also removes idle engines and dead containers. */
@Module({
  imports: [ScheduleModule.forRoot(), AutoscalingModule, DatabaseModule, EnginesModule, StreamsModule],
  controllers: [GcController],
  providers: [Retention],
})
export class RetentionModule {}
