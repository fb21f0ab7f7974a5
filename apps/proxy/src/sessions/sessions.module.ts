import { Module } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { EngineSelector } from '../selection/engine-selector.js';
import { SelectionModule } from '../selection/selection.module.js';
import { ProxySettings, broadcastSettings } from '../settings.js';
import { ENGINE_CLIENTS, type EngineClients } from '../tokens.js';
import { Alternatives } from './start/alternatives.js';
import { EngineStartLock } from './start/engine-start-lock.js';
import { infohashLookup } from './start/infohash-lookup.js';
import { SessionRegistry } from './session-registry.js';

/** An engine session's life: start, watch, fail over, stop. */
@Module({
  imports: [SelectionModule],
  providers: [
    {
      provide: SessionRegistry,
      inject: [EngineSelector, ENGINE_CLIENTS, ProxySettings, ProxyMetrics, Clock, Log],
      useFactory: (
        selector: EngineSelector,
        engineApi: EngineClients,
        settings: ProxySettings,
        metrics: ProxyMetrics,
        clock: Clock,
        log: Log,
      ) => {
        const registry = new SessionRegistry(
          {
            selector,
            engineApi,
            starts: new EngineStartLock(clock),
            lookUpInfohash: infohashLookup(engineApi, log.child('sessions')),
            clock,
            limits: settings,
            broadcast: broadcastSettings(settings),
            lingerMs: settings.lingerMs,
            viewerLimits: settings,
            emptyTimeoutMs: settings.emptyTimeoutMs,
            failoverPauseMs: settings.failoverPauseMs,
            failoverPauseMaxMs: settings.failoverPauseMaxMs,
            random: Math.random,
            log,
          },
          log.child('sessions'),
        );
        registry.listen(metrics);
        return registry;
      },
    },
    {
      provide: Alternatives,
      inject: [SessionRegistry, Clock, ProxySettings],
      useFactory: (registry: SessionRegistry, clock: Clock, settings: ProxySettings) =>
        new Alternatives(registry, clock, settings.alternativeAfterMs),
    },
  ],
  exports: [SessionRegistry, Alternatives],
})
export class SessionsModule {}
