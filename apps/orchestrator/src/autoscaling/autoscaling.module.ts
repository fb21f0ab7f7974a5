import { Module } from '@nestjs/common';
import { EnginesModule } from '../engines/engines.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { HealthModule } from '../health/health.module.js';
import { LeasesModule } from '../leases/leases.module.js';
import { ProvisioningModule } from '../provisioning/provisioning.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { VpnModule } from '../vpn/vpn.module.js';
import { AutoscalerController } from './autoscaler.controller.js';
import { ManualMinimum } from './manual-minimum.js';
import { PoolSnapshotService } from './pool-snapshot.service.js';
import { ReconcileService } from './reconcile.service.js';

/** How many engines there should be, and the reconcile loop that starts and removes them. */
@Module({
  imports: [DatabaseModule, EnginesModule, HealthModule, LeasesModule, ProvisioningModule, RuntimeModule, VpnModule],
  controllers: [AutoscalerController],
  providers: [ManualMinimum, PoolSnapshotService, ReconcileService],
  exports: [ReconcileService],
})
export class AutoscalingModule {}
