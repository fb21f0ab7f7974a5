import { Clock } from '@acexy/service-kit/primitives';
import { Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { ContainersController } from './containers.controller.js';
import { EngineMetrics } from './engine-metrics.js';
import { EngineRegistry } from './engine-registry.js';
import { EngineRemover } from './engine-remover.service.js';
import { EngineSync } from './engine-sync.service.js';
import { EngineViews } from './engine-views.service.js';
import { EnginesController } from './engines.controller.js';
import { FirstEngines } from './first-engines.js';

/** Which engines exist: the registry, its synchronization with the container runtime, and removal. */
@Module({
  imports: [RuntimeModule],
  controllers: [EnginesController, ContainersController],
  providers: [
    { provide: EngineRegistry, useFactory: (clock: Clock) => new EngineRegistry(clock), inject: [Clock] },
    EngineMetrics,
    EngineRemover,
    EngineSync,
    EngineViews,
    FirstEngines,
  ],
  exports: [EngineRegistry, EngineRemover, EngineSync, EngineViews],
})
export class EnginesModule {}
