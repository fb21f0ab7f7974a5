import { type DynamicModule, Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import type { LoadedSettings, Log } from '@acexy/service-kit';
import { AboutController } from './about.controller.js';
import { CoreModule, type WorkerRole } from './core.module.js';
import { HealthModule } from '../health/health.module.js';
import { HlsModule } from '../hls/hls.module.js';
import { PlaybackModule } from '../playback/playback.module.js';
import { PlaylistsModule } from '../playlists/playlists.module.js';
import { OrchestratorWork } from './orchestrator-work.js';
import { ProxyLifecycle } from './proxy-lifecycle.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { ReportingModule } from '../reporting/reporting.module.js';
import { SelectionModule } from '../selection/selection.module.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { SessionsModule } from '../sessions/sessions.module.js';

@Module({})
export class AppModule {
  constructor(registry: SessionRegistry, metrics: ProxyMetrics) {
    registry.events.subscribe((event) => metrics.count(event));
  }

  /** @param worker null: this process is the whole proxy */
  static with(settings: LoadedSettings, log: Log, worker: WorkerRole | null = null): DynamicModule {
    return {
      module: AppModule,
      imports: [
        CoreModule.with(settings, log, worker),
        PrometheusModule.register(),
        SelectionModule,
        SessionsModule,
        ReportingModule,
        PlaybackModule,
        HlsModule,
        PlaylistsModule,
        HealthModule,
      ],
      controllers: [AboutController],
      providers: [OrchestratorWork, ProxyLifecycle],
    };
  }
}
