import { Module } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { EngineSelector } from './engine-selector.js';
import { FallbackSelector } from './fallback-selector.js';
import { ENGINE_CLIENTS, type EngineClients, FRONT_SELECTOR, ORCHESTRATOR, type OrchestratorContext } from './injection-tokens.js';
import { LeaseSelector } from './lease-selector.js';
import { ListRefresh } from './list-refresh.js';
import { ListSelector } from './list-selector.js';
import { OrchestratedSelector } from './orchestrated-selector.js';
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
      provide: SELECTION,
      inject: [FRONT_SELECTOR, ORCHESTRATOR, ENGINE_CLIENTS, SelectionSettings, Clock],
      useFactory: (
        front: EngineSelector | null,
        orchestrator: OrchestratorContext | null,
        engineStatus: EngineClients,
        settings: SelectionSettings,
        clock: Clock,
      ): Selection => {
        if (front !== null) return { selector: front, refresh: null };
        const reservations = new Reservations(clock);
        const fallback = new FallbackSelector({ host: settings.fallbackHost, port: settings.fallbackPort }, reservations, clock);
        if (orchestrator === null) return { selector: fallback, refresh: null };
        const list = new ListSelector(orchestrator, reservations, settings.maxStreamsPerEngine, engineStatus);
        const leases = new LeaseSelector(orchestrator, reservations, settings.orchestratorTimeoutMs, (engine) => list.learn(engine));
        return {
          selector: new OrchestratedSelector(orchestrator, leases, list, fallback),
          refresh: new ListRefresh(orchestrator, list, settings.engineCacheTtlMs),
        };
      },
    },
    { provide: EngineSelector, inject: [SELECTION], useFactory: ({ selector }: Selection) => selector },
    { provide: ListRefresh, inject: [SELECTION], useFactory: ({ refresh }: Selection) => refresh },
  ],
  exports: [EngineSelector, ListRefresh],
})
export class SelectionModule {}
