import { ACCESS_POLICY, Log } from '@acexy/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { Clock, SystemClock } from '@acexy/service-kit/primitives';
import { OrchestratorSettings } from '../settings.js';

/** What every part needs: settings, log, clock, and who may call. */
@Module({})
export class CoreModule {
  static with(settings: OrchestratorSettings, log: Log): DynamicModule {
    return {
      module: CoreModule,
      global: true,
      providers: [
        { provide: OrchestratorSettings, useValue: settings },
        { provide: Log, useValue: log },
        { provide: Clock, useClass: SystemClock },
        { provide: ACCESS_POLICY, useValue: { apiKey: settings.apiKey, open: settings.auth === 'open' } },
      ],
      exports: [OrchestratorSettings, Log, Clock, ACCESS_POLICY],
    };
  }
}
