import { Log } from '@acexy/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { RequestLimitInterceptor } from '../http/request-limit.interceptor.js';
import { AutoscalingModule } from '../autoscaling/autoscaling.module.js';
import { CoreModule } from './core.module.js';
import { ByLabelController } from '../engines/by-label.controller.js';
import { ContainersController } from '../engines/containers.controller.js';
import { EnginesController } from '../engines/engines.controller.js';
import { EnginesModule } from '../engines/engines.module.js';
import { LeasesController } from '../leases/leases.controller.js';
import { HealthScoreController } from '../health/health-score.controller.js';
import { HealthModule } from '../health/health.module.js';
import { GarbageCollection } from '../retention/garbage-collection.service.js';
import { GcController } from '../retention/gc.controller.js';
import { RetentionModule } from '../retention/retention.module.js';
import { ProvisioningModule } from '../provisioning/provisioning.module.js';
import { OrchestratorSettings } from '../settings.js';
import { StreamsModule } from '../streams/streams.module.js';
import { VpnModule } from '../vpn/vpn.module.js';

/** The orchestrator. What shows or uses several rooms stands here: engines with their streams, and the collection that asks the loop of the pool. */
@Module({
  imports: [
    PrometheusModule.register(),
    EnginesModule,
    StreamsModule,
    HealthModule,
    ProvisioningModule,
    VpnModule,
    AutoscalingModule,
    RetentionModule,
  ],
  controllers: [LeasesController, HealthScoreController, EnginesController, ContainersController, ByLabelController, GcController],
  providers: [GarbageCollection, { provide: APP_INTERCEPTOR, useClass: RequestLimitInterceptor }],
})
export class AppModule {
  static with(settings: OrchestratorSettings, log: Log): DynamicModule {
    return { module: AppModule, imports: [CoreModule.with(settings, log)] };
  }
}
