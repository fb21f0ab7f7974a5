/** The one engine of `ACEXY_HOST` and `ACEXY_PORT`, for want of anything else. It takes any number of streams, but each content once. */
import type { EngineAddress } from '@acexy/engine-client';
import type { Clock } from '@acexy/service-kit/primitives';
import { type LeasedEngine, EngineSelector, NoEngineError, type SelectRequest } from './engine-selector.js';
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

  async select({ streamId, content, exclude, reserved, deadline, signal }: SelectRequest): Promise<LeasedEngine> {
    if (reserved) return reserved;
    if (exclude.includes(this.engineId)) throw new NoEngineError(`the engine ${this.engineId} has failed`, 5);
    // The session before is still being stopped; that stop would end ours too.
    while (this.reservations.hasContent(this.engineId, content)) {
      const left = deadline - this.clock.now();
      if (left <= 0) throw new NoEngineError(`the engine ${this.engineId} is still stopping the same content`, 5);
      await this.reservations.change(left, signal);
    }
    const giveBack = this.reservations.reserve(this.engineId, streamId, content);
    return {
      engineId: this.engineId,
      containerId: null,
      address: this.address,
      leaseId: null,
      reason: 'the fallback engine',
      release: () => Promise.resolve(giveBack()),
    };
  }
}
