import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AutoscalingModule } from '../autoscaling/autoscaling.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { EnginesModule } from '../engines/engines.module.js';
import { StreamsModule } from '../streams/streams.module.js';
import { GcController } from './gc.controller.js';
import { Retention } from './retention.service.js';

/** Keeps what grows small: database rows every ten minutes, and engines and containers too with `POST /gc`. */
@Module({
  imports: [ScheduleModule.forRoot(), AutoscalingModule, DatabaseModule, EnginesModule, StreamsModule],
  controllers: [GcController],
  providers: [Retention],
})
export class RetentionModule {}
