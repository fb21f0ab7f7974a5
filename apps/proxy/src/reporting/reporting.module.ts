import { type FactoryProvider, Module } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import { ORCHESTRATOR, type OrchestratorContext } from '../selection/injection-tokens.js';
import { SessionDirectory } from '../sessions/session-directory.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { ReportingSettings } from './reporting-settings.js';
import { ReportingService } from './reporting.service.js';

/** null when no orchestrator is set. */
export const REPORTING: FactoryProvider<ReportingService | null> = {
  provide: ReportingService,
  inject: [ORCHESTRATOR, SessionDirectory, ReportingSettings, Log],
  useFactory: (orchestrator: OrchestratorContext | null, sessions: SessionDirectory, { containerId }: ReportingSettings, log: Log) =>
    orchestrator && new ReportingService({ ...orchestrator, log: log.child('reporting') }, sessions, containerId),
};

/** Tells the orchestrator what plays. */
@Module({ imports: [SessionsModule], providers: [REPORTING], exports: [ReportingService] })
export class ReportingModule {}
