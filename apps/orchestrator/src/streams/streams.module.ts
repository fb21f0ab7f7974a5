import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/database.module.js';
import { EnginesModule } from '../engines/engines.module.js';
import { STREAM_VIEWS } from '../engines/stream-views.js';
import { EventsController } from './events.controller.js';
import { Quarantine } from './quarantine.service.js';
import { ReportsController } from './reports.controller.js';
import { SessionStat } from './session-stat.js';
import { StatsCollector } from './stats-collector.service.js';
import { StreamEvents } from './stream-events.service.js';
import { StreamService } from './stream.service.js';
import { StreamsController } from './streams.controller.js';

/** Who is watching what. */
@Module({
  imports: [EnginesModule, DatabaseModule],
  controllers: [EventsController, ReportsController, StreamsController],
  providers: [SessionStat, Quarantine, StreamService, StreamEvents, StatsCollector, { provide: STREAM_VIEWS, useExisting: StreamService }],
  exports: [StreamService, StatsCollector, STREAM_VIEWS],
})
export class StreamsModule {}
