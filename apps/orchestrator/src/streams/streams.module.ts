import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/database.module.js';
import { EnginesModule } from '../engines/engines.module.js';
import { LeasesModule } from '../leases/leases.module.js';
import { EngineStreamsController } from './engine-streams.controller.js';
import { EventsController } from './events.controller.js';
import { ProxyReports } from './proxy-reports.service.js';
import { Quarantine } from './quarantine.service.js';
import { ReportsController } from './reports.controller.js';
import { SessionStat } from './session-stat.js';
import { StatsCollector } from './stats-collector.service.js';
import { StreamEvents } from './stream-events.service.js';
import { StreamService } from './stream.service.js';
import { StreamsController } from './streams.controller.js';

/** Which streams play: events and reports of proxies, and the statistics of engines. */
@Module({
  imports: [DatabaseModule, EnginesModule, LeasesModule],
  controllers: [EngineStreamsController, EventsController, ReportsController, StreamsController],
  providers: [ProxyReports, Quarantine, SessionStat, StatsCollector, StreamEvents, StreamService],
  exports: [StatsCollector, StreamService],
})
export class StreamsModule {}
