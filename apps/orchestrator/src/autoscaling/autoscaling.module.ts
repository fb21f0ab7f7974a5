import { Module } from '@nestjs/common';
import { EnginesModule } from '../engines/engines.module.js';
import { PoolKeeper } from '../engines/pool-keeper.js';
import { HealthModule } from '../health/health.module.js';
import { ProvisioningApiModule } from '../provisioning-api/provisioning-api.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { VpnModule } from '../vpn/vpn.module.js';
import { AutoscalerController } from './autoscaler.controller.js';
import { PoolPicture } from './pool-picture.service.js';
import { ReconcileService } from './reconcile.service.js';

/** How many engines there should be, and the loop that sees to it. */
@Module({
  imports: [EnginesModule, HealthModule, ProvisioningApiModule, RuntimeModule, VpnModule],
  controllers: [AutoscalerController],
  providers: [PoolPicture, ReconcileService, { provide: PoolKeeper, useExisting: ReconcileService }],
  exports: [PoolKeeper],
})
export class AutoscalingModule {}
