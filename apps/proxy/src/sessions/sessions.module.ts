import { Module } from '@nestjs/common';
import { Log } from '@acexy/service-kit';
import { Clock, memoryLimit } from '@acexy/service-kit/primitives';
import type { BroadcastSettings } from '../broadcast/broadcast.js';
import { EngineSelector } from '../selection/engine-selector.js';
import { ENGINE_CLIENTS, type EngineClients, PROCESS_COUNT } from '../selection/injection-tokens.js';
import { SelectionModule } from '../selection/selection.module.js';
import { BufferBudget } from './budget/buffer-budget.js';
import { maxSocketBytes, memoryPlan } from './budget/memory-plan.js';
import { BufferSettings, broadcastSettings } from './buffer-settings.js';
import { FailoverSettings } from './failover/failover-settings.js';
import { SessionDirectory } from './session-directory.js';
import { SessionRegistry } from './session-registry.js';
import { Alternatives } from './start/alternatives.js';
import { EngineStartLimit } from './start/engine-start-limit.js';
import { StartSettings } from './start/start-settings.js';
import { ViewerSettings } from './viewer-settings.js';

/** `workers`: processes that share the memory. */
function bufferBudget(
  { bufferTotalBytes: totalBytes }: BufferSettings,
  settings: BroadcastSettings,
  clock: Clock,
  log: Log,
  workers: number,
): BufferBudget {
  const { maxBytes: ringBytes, maxSeconds, joinSeconds, chunkBytes } = settings;
  const plan = memoryPlan({ memoryBytes: memoryLimit(), totalBytes, workers, chunkBytes, socketBytes: maxSocketBytes() });
  return new BufferBudget(plan, { ringBytes, maxSeconds, joinSeconds, chunkBytes }, clock, log.child('memory'));
}

/** The life of a session: start, watch, fail over, stop. */
@Module({
  imports: [SelectionModule],
  providers: [
    {
      provide: SessionRegistry,
      inject: [EngineSelector, ENGINE_CLIENTS, StartSettings, FailoverSettings, ViewerSettings, BufferSettings, Clock, Log, PROCESS_COUNT],
      useFactory: (
        selector: EngineSelector,
        engineApi: EngineClients,
        start: StartSettings,
        failover: FailoverSettings,
        viewers: ViewerSettings,
        buffer: BufferSettings,
        clock: Clock,
        log: Log,
        processes: number,
      ) => {
        const settings = broadcastSettings(buffer, viewers);
        return new SessionRegistry({
          selector,
          engineApi,
          startLimit: new EngineStartLimit(clock),
          clock,
          settings: { ...start, ...failover, ...viewers },
          broadcast: settings,
          budget: bufferBudget(buffer, settings, clock, log, processes),
          random: Math.random,
          log,
        });
      },
    },
    { provide: SessionDirectory, useExisting: SessionRegistry },
    {
      provide: Alternatives,
      inject: [SessionRegistry, Clock, StartSettings],
      useFactory: (registry: SessionRegistry, clock: Clock, { alternativeAfterMs }: StartSettings) =>
        new Alternatives(registry, clock, alternativeAfterMs),
    },
  ],
  exports: [SessionRegistry, SessionDirectory, Alternatives],
})
export class SessionsModule {}
