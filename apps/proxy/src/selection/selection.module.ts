import { Module } from '@nestjs/common';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { EngineSelector } from './engine-selector.js';
import { FallbackSelector } from './fallback-selector.js';
import { ENGINE_CLIENTS, type EngineClients, ORCHESTRATOR_CLIENT, PROXY_IDENTITY } from './injection-tokens.js';
import { LeaseSelector } from './lease-selector.js';
import { ListRefresh } from './list-refresh.js';
import { ListSelector } from './list-selector.js';
import { OrchestratedSelector } from './orchestrated-selector.js';
import { OrchestratorLink } from './orchestrator-link.js';
import type { ProxyIdentity } from './proxy-identity.js';
import { Reservations } from './reservations.js';
import { SelectionSettings } from './selection-settings.js';

const SELECTION = Symbol('SELECTION');

interface Selection {
  selector: EngineSelector;
  /** null without an orchestrator. */
  refresh: ListRefresh | null;
}

/** Which engine plays a stream. Without an orchestrator there is only the fallback engine. */
@Module({
  providers: [
    {
      provide: OrchestratorLink,
      inject: [Clock, Log],
      useFactory: (clock: Clock, log: Log) => new OrchestratorLink(clock, log.child('selection')),
    },
    {
      provide: SELECTION,
      inject: [ORCHESTRATOR_CLIENT, OrchestratorLink, PROXY_IDENTITY, ENGINE_CLIENTS, SelectionSettings, Clock, Log],
      useFactory: (
        client: OrchestratorClient | null,
        link: OrchestratorLink,
        identity: ProxyIdentity,
        engineStatus: EngineClients,
        settings: SelectionSettings,
        clock: Clock,
        serviceLog: Log,
      ): Selection => {
        const reservations = new Reservations(clock);
        const fallback = new FallbackSelector({ host: settings.fallbackHost, port: settings.fallbackPort }, reservations, clock);
        if (client === null) return { selector: fallback, refresh: null };
        const common = { client, link, reservations, clock, log: serviceLog.child('selection') };
        const { maxStreamsPerEngine, engineCacheTtlMs: cacheTtlMs, orchestratorTimeoutMs: timeoutMs } = settings;
        const list = new ListSelector({ ...common, proxyId: identity.proxyId, maxStreamsPerEngine, engineStatus });
        const leases = new LeaseSelector({ ...common, identity, onGranted: (engine) => list.learn(engine), timeoutMs });
        return {
          selector: new OrchestratedSelector(link, leases, list, fallback, clock, common.log),
          refresh: new ListRefresh({ ...common, list, cacheTtlMs, random: Math.random }),
        };
      },
    },
    { provide: EngineSelector, inject: [SELECTION], useFactory: ({ selector }: Selection) => selector },
    { provide: ListRefresh, inject: [SELECTION], useFactory: ({ refresh }: Selection) => refresh },
  ],
  exports: [EngineSelector, OrchestratorLink, ListRefresh],
})
export class SelectionModule {}
