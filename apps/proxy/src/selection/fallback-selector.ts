/** The fallback engine, at `ACEXY_HOST` and `ACEXY_PORT`. It takes any number of streams, but each content only once. */
import type { EngineAddress } from '@acexy/engine-client';
import type { Clock } from '@acexy/service-kit/primitives';
import { EngineSelector, type LeasedEngine, NoEngineError, type SelectRequest } from './engine-selector.js';
import type { Reservations } from './reservations.js';

export class FallbackSelector extends EngineSelector {
  private readonly engineId: string;

  constructor(
    private readonly address: EngineAddress,
    private readonly reservations: Reservations,
    private readonly clock: Clock,
  ) {
    super();
    this.engineId = `${address.host}:${address.port}`;
  }

  async select({ streamId, content, exclude, standby, deadline, signal }: SelectRequest): Promise<LeasedEngine> {
    const { engineId, address, reservations } = this;
    if (standby) return standby;
    if (exclude.includes(engineId)) throw new NoEngineError(`the engine ${engineId} has failed`, 5);
    // Stopping the previous session of the content would end a new one, too.
    while (reservations.hasContent(engineId, content)) {
      const left = deadline - this.clock.now();
      if (left <= 0) throw new NoEngineError(`the engine ${engineId} is still stopping the same content`, 5);
      await reservations.change(left, signal);
    }
    const release = reservations.reserve(engineId, streamId, content);
    return { engineId, containerId: null, address, leaseId: null, reason: 'the fallback engine', release: async () => release() };
  }
}
