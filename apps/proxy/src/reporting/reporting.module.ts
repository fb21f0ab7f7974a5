import { Module } from '@nestjs/common';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { ORCHESTRATOR_CLIENT, PROXY_IDENTITY } from '../selection/injection-tokens.js';
import { OrchestratorLink } from '../selection/orchestrator-link.js';
import type { ProxyIdentity } from '../selection/proxy-identity.js';
import { SelectionModule } from '../selection/selection.module.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { ReportingSettings } from './reporting-settings.js';
import { ReportingService } from './reporting.service.js';

/** Tells the orchestrator what plays. ReportingService is null when no orchestrator is set. */
@Module({
  imports: [SelectionModule, SessionsModule],
  providers: [
    {
      provide: ReportingService,
      inject: [ORCHESTRATOR_CLIENT, OrchestratorLink, PROXY_IDENTITY, SessionRegistry, ReportingSettings, Clock, Log],
      useFactory: (
        client: OrchestratorClient | null,
        link: OrchestratorLink,
        identity: ProxyIdentity,
        registry: SessionRegistry,
        { containerId }: ReportingSettings,
        clock: Clock,
        log: Log,
      ) =>
        client &&
        new ReportingService({ client, link, identity, registry, containerId, clock, log: log.child('reporting'), random: Math.random }),
    },
  ],
  exports: [ReportingService],
})
export class ReportingModule {}
