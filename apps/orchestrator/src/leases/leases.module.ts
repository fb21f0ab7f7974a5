import { Module } from '@nestjs/common';
import { EnginesModule } from '../engines/engines.module.js';
import { ContentKeys } from './content-keys.js';
import { EngineClaimBook } from './engine-claims.js';
import { LeaseService } from './lease.service.js';
import { LeasesController } from './leases.controller.js';
import { ProvisioningOutlook } from './provisioning-outlook.js';

/** Who may use which engine: leases, claims and selection. */
@Module({
  imports: [EnginesModule],
  controllers: [LeasesController],
  providers: [ContentKeys, EngineClaimBook, LeaseService, ProvisioningOutlook],
  exports: [ContentKeys, EngineClaimBook, LeaseService, ProvisioningOutlook],
})
export class LeasesModule {}
