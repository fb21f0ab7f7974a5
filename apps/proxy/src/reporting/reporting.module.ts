import { Module } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import { ORCHESTRATOR, type OrchestratorContext } from '../selection/injection-tokens.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { ReportingSettings } from './reporting-settings.js';
import { ReportingService } from './reporting.service.js';

/** Tells the orchestrator what plays. ReportingService is null when no orchestrator is set. */
@Module({
  imports: [SessionsModule],
  providers: [
    {
      provide: ReportingService,
      inject: [ORCHESTRATOR, SessionRegistry, ReportingSettings, Log],
      useFactory: (orchestrator: OrchestratorContext | null, registry: SessionRegistry, { containerId }: ReportingSettings, log: Log) =>
        orchestrator && new ReportingService({ ...orchestrator, log: log.child('reporting') }, registry, containerId),
    },
  ],
  exports: [ReportingService],
})
export class ReportingModule {}
