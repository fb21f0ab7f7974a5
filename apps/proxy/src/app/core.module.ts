import { type DynamicModule, Global, Module } from '@nestjs/common';
import { EngineClient } from '@acexy/engine-client';
import { createOrchestratorClient } from '@acexy/orchestrator-client';
import { Log } from '@acexy/service-kit';
import { Clock, SystemClock } from '@acexy/service-kit/primitives';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { loadIdentity } from '../proxy-identity.js';
import { ProxySettings } from '../settings.js';
import { ENGINE_CLIENTS, ORCHESTRATOR_CLIENT, PROXY_IDENTITY } from '../tokens.js';

/** What every part of the proxy stands on: settings, time, logs, metrics, who we are, and the clients of the two services it talks to. */
@Global()
@Module({})
export class CoreModule {
  static with(settings: ProxySettings, log: Log): DynamicModule {
    return {
      module: CoreModule,
      providers: [
        { provide: ProxySettings, useValue: settings },
        { provide: Log, useValue: log },
        { provide: Clock, useClass: SystemClock },
        { provide: ProxyMetrics, useFactory: () => new ProxyMetrics() },
        { provide: PROXY_IDENTITY, useFactory: () => loadIdentity(settings.dataDir, settings.listen.port, log) },
        { provide: ENGINE_CLIENTS, useValue: (address: { host: string; port: number }) => new EngineClient(address) },
        {
          provide: ORCHESTRATOR_CLIENT,
          inject: [ProxyMetrics],
          useFactory: (metrics: ProxyMetrics) =>
            settings.orchestratorUrl === undefined
              ? null
              : createOrchestratorClient({
                  url: settings.orchestratorUrl,
                  apiKey: settings.orchestratorApiKey,
                  timeoutMs: settings.orchestratorTimeoutMs,
                  engineCacheTtlMs: settings.engineCacheTtlMs,
                  onCall: (call) => metrics.orchestratorCalled(call),
                }),
        },
      ],
      exports: [ProxySettings, Log, Clock, ProxyMetrics, PROXY_IDENTITY, ENGINE_CLIENTS, ORCHESTRATOR_CLIENT],
    };
  }
}
