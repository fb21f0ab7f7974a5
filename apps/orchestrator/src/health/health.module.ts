import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DatabaseModule } from '../database/database.module.js';
import { EnginesModule } from '../engines/engines.module.js';
import { LeasesModule } from '../leases/leases.module.js';
import { ProvisioningModule } from '../provisioning/provisioning.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { StreamsModule } from '../streams/streams.module.js';
import { VpnModule } from '../vpn/vpn.module.js';
import { EngineProber } from './engine-prober.js';
import { EnginesHealth } from './engines-health.service.js';
import { HealthController } from './health.controller.js';
import { HealthScoreController } from './health-score.controller.js';
import { HealthMonitor } from './health-monitor.service.js';
import { OrchestratorStatusController } from './orchestrator-status.controller.js';
import { OrchestratorStatusReport } from './orchestrator-status.service.js';
import { Readiness } from './readiness.js';
import { ReadinessReport } from './readiness-report.service.js';
import { StartupProbe } from './startup-probe.service.js';

/** Health of the engines, the dependencies and the service. */
@Module({
  imports: [
    TerminusModule.forRoot({ logger: false }),
    EnginesModule,
    LeasesModule,
    DatabaseModule,
    ProvisioningModule,
    StreamsModule,
    RuntimeModule,
    VpnModule,
  ],
  controllers: [HealthController, HealthScoreController, OrchestratorStatusController],
  providers: [Readiness, EngineProber, StartupProbe, HealthMonitor, ReadinessReport, EnginesHealth, OrchestratorStatusReport],
  exports: [Readiness, EnginesHealth],
})
export class HealthModule {}
