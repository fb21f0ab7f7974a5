import { Module } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { DatabaseModule } from '../database/database.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { EngineRegistry } from './engine-registry.js';
import { EngineMetrics } from './engine-metrics.js';
import { EngineRemover } from './engine-remover.service.js';
import { EngineSync } from './engine-sync.service.js';
import { EngineViews } from './engine-views.service.js';
import { LeaseService } from '../leases/lease.service.js';
import { ManualMinimum } from './manual-minimum.js';
import { ProvisioningOutlook } from '../leases/provisioning-outlook.js';

/** Which engines there are and who may use them. Its REST side is `EnginesApiModule`, which also shows streams. */
@Module({
  imports: [RuntimeModule, DatabaseModule],
  providers: [
    { provide: EngineRegistry, useFactory: (clock: Clock) => new EngineRegistry(clock), inject: [Clock] },
    ProvisioningOutlook,
    ManualMinimum,
    EngineMetrics,
    EngineRemover,
    EngineSync,
    LeaseService,
    EngineViews,
  ],
  exports: [EngineRegistry, ProvisioningOutlook, ManualMinimum, EngineRemover, EngineSync, LeaseService, EngineViews],
})
export class EnginesModule {}
