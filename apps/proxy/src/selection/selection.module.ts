import { Module } from '@nestjs/common';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import type { ProxyIdentity } from './proxy-identity.js';
import { ENGINE_CLIENTS, type EngineClients, ORCHESTRATOR_CLIENT, PROXY_IDENTITY } from './injection-tokens.js';
import { EngineSelector } from './engine-selector.js';
import { FallbackSelector } from './fallback-selector.js';
import { LeaseSelector } from './lease-selector.js';
import { ListRefresh } from './list-refresh.js';
import { ListSelector } from './list-selector.js';
import { OrchestratedSelector } from './orchestrated-selector.js';
import { OrchestratorLink } from './orchestrator-link.js';
import { Reservations } from './reservations.js';
import { SelectionSettings } from './selection-settings.js';

/** Which engine plays a stream. Without an orchestrator there is only the fallback engine, and neither list nor refresh. */
@Module({
  providers: [
    { provide: Reservations, inject: [Clock], useFactory: (clock: Clock) => new Reservations(clock) },
    {
      provide: OrchestratorLink,
      inject: [Clock, Log],
      useFactory: (clock: Clock, log: Log) => new OrchestratorLink(clock, log.child('selection')),
    },
    {
      provide: ListSelector,
      inject: [ORCHESTRATOR_CLIENT, OrchestratorLink, Reservations, PROXY_IDENTITY, ENGINE_CLIENTS, SelectionSettings, Clock, Log],
      useFactory: (
        client: OrchestratorClient | null,
        link: OrchestratorLink,
        reservations: Reservations,
        { proxyId }: ProxyIdentity,
        engineStatus: EngineClients,
        { maxStreamsPerEngine }: SelectionSettings,
        clock: Clock,
        log: Log,
      ) =>
        client &&
        new ListSelector({ client, link, reservations, proxyId, maxStreamsPerEngine, engineStatus, clock, log: log.child('selection') }),
    },
    {
      provide: ListRefresh,
      inject: [ListSelector, OrchestratorLink, SelectionSettings, Clock, Log],
      useFactory: (
        list: ListSelector | null,
        link: OrchestratorLink,
        { engineCacheTtlMs: cacheTtlMs }: SelectionSettings,
        clock: Clock,
        log: Log,
      ) => list && new ListRefresh({ list, link, cacheTtlMs, clock, log: log.child('selection'), random: Math.random }),
    },
    {
      provide: EngineSelector,
      inject: [ORCHESTRATOR_CLIENT, ListSelector, OrchestratorLink, Reservations, PROXY_IDENTITY, SelectionSettings, Clock, Log],
      useFactory: (
        client: OrchestratorClient | null,
        list: ListSelector | null,
        link: OrchestratorLink,
        reservations: Reservations,
        identity: ProxyIdentity,
        settings: SelectionSettings,
        clock: Clock,
        serviceLog: Log,
      ): EngineSelector => {
        const log = serviceLog.child('selection');
        const fallback = new FallbackSelector({ host: settings.fallbackHost, port: settings.fallbackPort }, reservations, clock);
        if (!client || !list) return fallback;
        const leases = new LeaseSelector({
          client,
          identity,
          reservations,
          onGranted: (engine) => list.learn(engine),
          timeoutMs: settings.orchestratorTimeoutMs,
          clock,
          log,
        });
        return new OrchestratedSelector(link, leases, list, fallback, clock, log);
      },
    },
  ],
  exports: [EngineSelector, OrchestratorLink, ListRefresh],
})
export class SelectionModule {}
