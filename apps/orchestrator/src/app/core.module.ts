import { ACCESS_POLICY, type LoadedSettings, Log } from '@acexy/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { Clock, SystemClock } from '@acexy/service-kit/primitives';
import { PoolSettings } from '../engines/pool-settings.js';
import { HttpSettings } from '../http/http-settings.js';
import { EngineLimit } from '../vpn/engine-limit.js';
import { VpnSettings } from '../vpn/vpn-settings.js';

/** Provided to every module: settings, log, clock, and the access policy. */
@Module({})
export class CoreModule {
  static with(settings: LoadedSettings, log: Log): DynamicModule {
    const { apiKey, auth } = settings.of(HttpSettings);
    return {
      module: CoreModule,
      global: true,
      providers: [
        ...settings.providers,
        { provide: EngineLimit, useValue: new EngineLimit(settings.of(PoolSettings), settings.of(VpnSettings)) },
        { provide: Log, useValue: log },
        { provide: Clock, useClass: SystemClock },
        { provide: ACCESS_POLICY, useValue: { apiKey, open: auth === 'open' } },
      ],
      exports: [...settings.providers.map(({ provide }) => provide), EngineLimit, Log, Clock, ACCESS_POLICY],
    };
  }
}
