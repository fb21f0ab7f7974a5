import { Module } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import { OrchestratorSettings } from '../settings.js';
import { ENGINE_RUNTIME, type EngineRuntime } from './engine-runtime.js';
import { ProcessRuntime } from './process/process-runtime.js';

/** How engines are run. Opened and closed by whoever owns the service's start and end. Wants OrchestratorSettings and Log from a global module. */
@Module({
  providers: [
    {
      provide: ENGINE_RUNTIME,
      inject: [OrchestratorSettings, Log],
      useFactory: (settings: OrchestratorSettings, log: Log): EngineRuntime => new ProcessRuntime(settings, log),
    },
  ],
  exports: [ENGINE_RUNTIME],
})
export class RuntimeModule {}
