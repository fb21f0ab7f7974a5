import { Module } from '@nestjs/common';
import type { LeaveOrder } from '@acexy/contracts';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import type { ProxyIdentity } from '../selection/proxy-identity.js';
import { OrchestratorLink } from '../selection/orchestrator-link.js';
import { SelectionModule } from '../selection/selection.module.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { ORCHESTRATOR_CLIENT, PROXY_IDENTITY } from '../selection/injection-tokens.js';
import { EventOutbox } from './event-outbox.js';
import { ReportLoop } from './report-loop.js';
import { ReportingSettings } from './reporting-settings.js';
import { ReportingService } from './reporting.service.js';

/** Telling the orchestrator what plays; without one there is no ReportingService (null). */
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
        serviceLog: Log,
      ): ReportingService | null => {
        if (!client) return null;
        const log = serviceLog.child('reporting');
        const snapshots = () => registry.snapshots();
        const onLeave = (order: LeaveOrder): void => {
          log.info('the orchestrator wants an engine to be left', { ...order });
          registry.leave(order);
        };
        const service = new ReportingService({
          link,
          reports: (onNotTaken) => new ReportLoop({ client, link, identity, snapshots, onLeave, onNotTaken, clock, log }),
          events: new EventOutbox({ client, link, clock, log, random: Math.random }),
          snapshots,
          labels: { proxy_id: identity.proxyId, ...(containerId && { proxy_container_id: containerId }) },
        });
        registry.listen(service);
        return service;
      },
    },
  ],
  exports: [ReportingService],
})
export class ReportingModule {}
