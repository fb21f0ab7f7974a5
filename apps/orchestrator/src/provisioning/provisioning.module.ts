import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/database.module.js';
import { EnginesModule } from '../engines/engines.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { VpnModule } from '../vpn/vpn.module.js';
import { CircuitBreakerController } from './circuit-breaker.controller.js';
import { EngineBlueprint } from './engine-blueprint.js';
import { EngineLauncher } from './engine-launcher.js';
import { ProvisioningBreakers } from './provisioning-breakers.js';
import { ProvisioningController } from './provisioning.controller.js';
import { ProvisioningHeaders } from './provisioning-headers.js';
import { ProvisioningService } from './provisioning.service.js';
import { StartChecks } from './start-checks.js';

/** How new engines are started, and the REST API for it. */
@Module({
  imports: [EnginesModule, RuntimeModule, DatabaseModule, VpnModule],
  controllers: [ProvisioningController, CircuitBreakerController],
  providers: [ProvisioningService, ProvisioningHeaders, ProvisioningBreakers, StartChecks, EngineBlueprint, EngineLauncher],
  exports: [ProvisioningService, ProvisioningHeaders],
})
export class ProvisioningModule {}
