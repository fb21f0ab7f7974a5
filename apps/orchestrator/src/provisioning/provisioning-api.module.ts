import { Module } from '@nestjs/common';
import { EnginesModule } from '../engines/engines.module.js';
import { ProvisioningModule } from './provisioning.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { CircuitsController } from './circuits.controller.js';
import { CircuitMetrics } from './circuit-metrics.js';
import { EngineStarter } from './engine-starter.service.js';
import { ProvisioningController } from './provisioning.controller.js';
import { ProvisioningHeaders } from './provisioning-headers.middleware.js';

/** The REST side of provisioning, and the one place that starts engines. */
@Module({
  imports: [EnginesModule, ProvisioningModule, RuntimeModule],
  controllers: [ProvisioningController, CircuitsController],
  providers: [EngineStarter, CircuitMetrics, ProvisioningHeaders],
  exports: [EngineStarter, ProvisioningModule],
})
export class ProvisioningApiModule {}
