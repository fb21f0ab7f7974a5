import { hostname } from 'node:os';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { type EngineAddress, EngineClient } from '@acexy/engine-client';
import { HttpOrchestratorClient } from '@acexy/orchestrator-client';
import { type LoadedSettings, Log } from '@acexy/service-kit';
import { Clock, SystemClock } from '@acexy/service-kit/primitives';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { HttpSettings } from '../http/http-settings.js';
import type { EngineSelector } from '../selection/engine-selector.js';
import { ENGINE_CLIENTS, FRONT_SELECTOR, ORCHESTRATOR, type OrchestratorContext, PROCESS_COUNT } from '../selection/injection-tokens.js';
import { OrchestratorLink } from '../selection/orchestrator-link.js';
import { loadIdentity } from '../selection/proxy-identity.js';
import { SelectionSettings } from '../selection/selection-settings.js';
import { ServiceSettings } from './service-settings.js';

/** What makes a process a worker: it gets its engines from the front, and shares the memory with the other workers. */
export interface WorkerRole {
  readonly selector: EngineSelector;
  readonly count: number;
}

/** Provided to every module: settings, log, clock, metrics, and the clients for engines and orchestrator. */
@Global()
@Module({})
export class CoreModule {
  /** @param worker what only a worker has: the front has the identity, the leases and the orchestrator */
  static with(settings: LoadedSettings, log: Log, worker: WorkerRole | null = null): DynamicModule {
    const providers = [
      ...settings.providers,
      { provide: Log, useValue: log },
      { provide: Clock, useClass: SystemClock },
      { provide: ProxyMetrics, useFactory: () => new ProxyMetrics() },
      { provide: ENGINE_CLIENTS, useValue: (address: EngineAddress) => new EngineClient(address) },
      { provide: FRONT_SELECTOR, useValue: worker?.selector ?? null },
      { provide: PROCESS_COUNT, useValue: worker?.count ?? 1 },
      {
        provide: ORCHESTRATOR,
        inject: [ProxyMetrics, Clock],
        useFactory: (metrics: ProxyMetrics, clock: Clock) => (worker === null ? orchestratorOf(settings, metrics, clock, log) : null),
      },
    ];
    return { module: CoreModule, providers, exports: providers };
  }
}

/** null without ACEXY_ORCH_URL. */
function orchestratorOf(settings: LoadedSettings, metrics: ProxyMetrics, clock: Clock, serviceLog: Log): OrchestratorContext | null {
  const {
    orchestratorUrl: url,
    orchestratorApiKey: apiKey,
    orchestratorTimeoutMs: timeoutMs,
    engineCacheTtlMs,
  } = settings.of(SelectionSettings);
  if (url === undefined) return null;
  // In a container, the host name is the id of the container. No two proxies on a host listen on the same address.
  const { host, port } = settings.of(HttpSettings).listen;
  const owner = [hostname(), host, port].filter(Boolean).join('-');
  const identity = loadIdentity(settings.of(ServiceSettings).dataDir, owner, serviceLog);
  const log = serviceLog.child('selection');
  const client = new HttpOrchestratorClient({
    url,
    apiKey,
    timeoutMs,
    engineCacheTtlMs,
    onCall: (call) => metrics.orchestratorCalled(call),
  });
  return { client, link: new OrchestratorLink(clock, log), identity, clock, log, random: Math.random };
}
