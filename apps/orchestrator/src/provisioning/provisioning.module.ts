import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/database.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { VpnModule } from '../vpn/vpn.module.js';
import { ProvisioningService } from './provisioning.service.js';

/** How a new engine comes to be. Wants OrchestratorSettings, Clock and Log from a global module. */
@Module({
  imports: [RuntimeModule, DatabaseModule, VpnModule],
  providers: [ProvisioningService],
  exports: [ProvisioningService],
})
export class ProvisioningModule {}
