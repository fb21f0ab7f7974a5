import { Module } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { EngineSelector } from '../selection/engine-selector.js';
import { SelectionModule } from '../selection/selection.module.js';
import { ENGINE_CLIENTS, type EngineClients } from '../selection/injection-tokens.js';
import { Alternatives } from './start/alternatives.js';
import { EngineStartLock } from './start/engine-start-lock.js';
import { infohashLookup } from './start/infohash-lookup.js';
import { BufferSettings, broadcastSettings } from './buffer-settings.js';
import { FailoverSettings } from './failover/failover-settings.js';
import { SessionRegistry } from './session-registry.js';
import { StartSettings } from './start/start-settings.js';
import { ViewerSettings } from './viewer-settings.js';

/** An engine session's life: start, watch, fail over, stop. */
@Module({
  imports: [SelectionModule],
  providers: [
    {
      provide: SessionRegistry,
      inject: [EngineSelector, ENGINE_CLIENTS, StartSettings, FailoverSettings, ViewerSettings, BufferSettings, ProxyMetrics, Clock, Log],
      useFactory: (
        selector: EngineSelector,
        engineApi: EngineClients,
        start: StartSettings,
        failover: FailoverSettings,
        viewers: ViewerSettings,
        buffer: BufferSettings,
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
            limits: { ...start, stallTimeoutMs: failover.stallTimeoutMs },
            broadcast: broadcastSettings(buffer, viewers),
            lingerMs: viewers.lingerMs,
            viewerLimits: viewers,
            emptyTimeoutMs: failover.emptyTimeoutMs,
            failoverPauseMs: failover.failoverPauseMs,
            failoverPauseMaxMs: failover.failoverPauseMaxMs,
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
      inject: [SessionRegistry, Clock, StartSettings],
      useFactory: (registry: SessionRegistry, clock: Clock, { alternativeAfterMs }: StartSettings) =>
        new Alternatives(registry, clock, alternativeAfterMs),
    },
  ],
  exports: [SessionRegistry, Alternatives],
})
export class SessionsModule {}
