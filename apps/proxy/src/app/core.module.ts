import { type DynamicModule, Global, Module } from '@nestjs/common';
import { EngineClient } from '@acexy/engine-client';
import { HttpOrchestratorClient } from '@acexy/orchestrator-client';
import { type LoadedSettings, Log } from '@acexy/service-kit';
import { Clock, SystemClock } from '@acexy/service-kit/primitives';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { loadIdentity } from '../selection/proxy-identity.js';
import { HttpSettings } from '../http/http-settings.js';
import { SelectionSettings } from '../selection/selection-settings.js';
import { ServiceSettings } from './service-settings.js';
import { ENGINE_CLIENTS, ORCHESTRATOR_CLIENT, PROXY_IDENTITY } from '../selection/injection-tokens.js';

/** Provided to every module: settings, log, clock, metrics, the proxy's identity, and the clients for engines and orchestrator. */
@Global()
@Module({})
export class CoreModule {
  static with(settings: LoadedSettings, log: Log): DynamicModule {
    return {
      module: CoreModule,
      providers: [
        ...settings.providers,
        { provide: Log, useValue: log },
        { provide: Clock, useClass: SystemClock },
        { provide: ProxyMetrics, useFactory: () => new ProxyMetrics() },
        {
          provide: PROXY_IDENTITY,
          useFactory: () => loadIdentity(settings.of(ServiceSettings).dataDir, settings.of(HttpSettings).listen.port, log),
        },
        { provide: ENGINE_CLIENTS, useValue: (address: { host: string; port: number }) => new EngineClient(address) },
        {
          provide: ORCHESTRATOR_CLIENT,
          inject: [SelectionSettings, ProxyMetrics],
          useFactory: (selection: SelectionSettings, metrics: ProxyMetrics) =>
            selection.orchestratorUrl === undefined
              ? null
              : new HttpOrchestratorClient({
                  url: selection.orchestratorUrl,
                  apiKey: selection.orchestratorApiKey,
                  timeoutMs: selection.orchestratorTimeoutMs,
                  engineCacheTtlMs: selection.engineCacheTtlMs,
                  onCall: (call) => metrics.orchestratorCalled(call),
                }),
        },
      ],
      exports: [
        ...settings.providers.map(({ provide }) => provide),
        Log,
        Clock,
        ProxyMetrics,
        PROXY_IDENTITY,
        ENGINE_CLIENTS,
        ORCHESTRATOR_CLIENT,
      ],
    };
  }
}
