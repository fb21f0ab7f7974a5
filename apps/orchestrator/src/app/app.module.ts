import { type LoadedSettings, Log } from '@acexy/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { AutoscalingModule } from '../autoscaling/autoscaling.module.js';
import { EnginesModule } from '../engines/engines.module.js';
import { HealthModule } from '../health/health.module.js';
import { RequestLimitInterceptor } from '../http/request-limit.interceptor.js';
import { LeasesModule } from '../leases/leases.module.js';
import { ProvisioningModule } from '../provisioning/provisioning.module.js';
import { RetentionModule } from '../retention/retention.module.js';
import { StreamsModule } from '../streams/streams.module.js';
import { VpnModule } from '../vpn/vpn.module.js';
import { CoreModule } from './core.module.js';

/** The orchestrator. Nest registers routes in the order of these imports: `/engines/health-score` (health) before `/engines/:id` (streams). */
@Module({
  imports: [
    PrometheusModule.register(),
    HealthModule,
    EnginesModule,
    LeasesModule,
    StreamsModule,
    ProvisioningModule,
    VpnModule,
    AutoscalingModule,
    RetentionModule,
  ],
  providers: [{ provide: APP_INTERCEPTOR, useClass: RequestLimitInterceptor }],
})
export class AppModule {
  static with(settings: LoadedSettings, log: Log): DynamicModule {
    return { module: AppModule, imports: [CoreModule.with(settings, log)] };
  }
}
