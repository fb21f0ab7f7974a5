import { Module } from '@nestjs/common';
import { Clock } from '../clock.js';
import { DatabaseModule } from '../database/database.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { EngineRegistry } from './engine-registry.js';
import { EngineMetrics } from './engine-metrics.js';
import { EngineRemover } from './engine-remover.service.js';
import { EngineSync } from './engine-sync.service.js';
import { EngineViews } from './engine-views.service.js';
import { LeaseService } from './lease.service.js';
import { ReplicaFloor } from './replica-floor.js';
import { Supply } from './supply.js';

/** Which engines there are and who may use them. Its REST side is `EnginesApiModule`, which also shows streams. */
@Module({
  imports: [RuntimeModule, DatabaseModule],
  providers: [
    { provide: EngineRegistry, useFactory: (clock: Clock) => new EngineRegistry(clock), inject: [Clock] },
    Supply,
    ReplicaFloor,
    EngineMetrics,
    EngineRemover,
    EngineSync,
    LeaseService,
    EngineViews,
  ],
  exports: [EngineRegistry, Supply, ReplicaFloor, EngineRemover, EngineSync, LeaseService, EngineViews],
})
export class EnginesModule {}
