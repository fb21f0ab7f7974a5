import { type DynamicModule, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { type LoadedSettings, Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { HealthController } from '../health/health.controller.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { REPORTING } from '../reporting/reporting.module.js';
import { EngineSelector } from '../selection/engine-selector.js';
import { ENGINE_CLIENTS, type EngineClients } from '../selection/injection-tokens.js';
import { SelectionModule } from '../selection/selection.module.js';
import { SessionDirectory } from '../sessions/session-directory.js';
import { EngineDesk } from '../workers/engine-desk.js';
import { FrontMetricsController } from '../workers/front-metrics.controller.js';
import { FrontStatusController } from '../workers/front-status.controller.js';
import { NoWorkerController } from '../workers/no-worker.controller.js';
import { WorkerFleet } from '../workers/worker-fleet.js';
import { WorkerSessions } from '../workers/worker-sessions.js';
import type { WorkerStarter } from '../workers/worker-starter.js';
import { AboutController } from './about.controller.js';
import { CoreModule } from './core.module.js';
import { OrchestratorWork } from './orchestrator-work.js';
import { FrontLifecycle } from './front-lifecycle.js';

/** What is there once for all workers: identity, leases, reports, health, status and metrics. */
@Module({})
export class FrontModule {
  constructor(sessions: WorkerSessions, metrics: ProxyMetrics) {
    // The workers count everything else. This one could not.
    sessions.events.subscribe((event) => {
      if (event.type === 'ended' && event.end.cause === 'worker-exited') metrics.count(event);
    });
  }

  static with(settings: LoadedSettings, log: Log, count: number, starter: WorkerStarter): DynamicModule {
    return {
      module: FrontModule,
      // The module of the metrics has a controller that asks the workers.
      global: true,
      imports: [
        CoreModule.with(settings, log),
        PrometheusModule.register({ controller: FrontMetricsController }),
        SelectionModule,
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [AboutController, HealthController, FrontStatusController, NoWorkerController],
      providers: [
        {
          provide: WorkerSessions,
          inject: [Clock],
          useFactory: (clock: Clock) => new WorkerSessions(count, clock, log.child('workers')),
        },
        { provide: SessionDirectory, useExisting: WorkerSessions },
        {
          provide: WorkerFleet,
          inject: [EngineSelector, ENGINE_CLIENTS, WorkerSessions, Clock],
          useFactory: (selector: EngineSelector, engines: EngineClients, sessions: WorkerSessions, clock: Clock) => {
            const desk = new EngineDesk(selector, engines, sessions, clock, log.child('workers'));
            return new WorkerFleet(count, starter, sessions, desk, clock, log.child('workers'));
          },
        },
        REPORTING,
        OrchestratorWork,
        FrontLifecycle,
      ],
      exports: [WorkerFleet],
    };
  }
}
