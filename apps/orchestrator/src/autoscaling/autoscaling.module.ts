import { Module } from '@nestjs/common';
import { EnginesModule } from '../engines/engines.module.js';
import { PoolCollector } from '../engines/pool-collector.js';
import { HealthModule } from '../health/health.module.js';
import { ProvisioningModule } from '../provisioning/provisioning.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { VpnModule } from '../vpn/vpn.module.js';
import { AutoscalerController } from './autoscaler.controller.js';
import { PoolSnapshotService } from './pool-snapshot.service.js';
import { ReconcileService } from './reconcile.service.js';

/** How many engines there should be, and the loop that sees to it. */
@Module({
  imports: [EnginesModule, HealthModule, ProvisioningModule, RuntimeModule, VpnModule],
  controllers: [AutoscalerController],
  providers: [PoolSnapshotService, ReconcileService, { provide: PoolCollector, useExisting: ReconcileService }],
  exports: [PoolCollector],
})
export class AutoscalingModule {}
