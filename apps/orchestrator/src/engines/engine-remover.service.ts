import { Log } from '@acexy/service-kit';
import { Clock } from '@acexy/service-kit/primitives';
import { Inject, Injectable } from '@nestjs/common';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { EngineRegistry } from './engine-registry.js';

/** Time for an engine to end before it is killed. */
const STOP_GRACE_MS = 5000;

/** The only way to remove an engine: it drains first, then leaves the runtime, then the registry. */
@Injectable()
export class EngineRemover {
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly log: Log;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly registry: EngineRegistry,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('engines');
  }

  /**
   * Removes an engine even if a stream plays on it; an unknown id is no error.
   * @throws RuntimeFailedError; the engine then keeps draining and the reconcile loop tries again
   */
  remove(id: string, reason: string): Promise<void> {
    let removal = this.underWay.get(id);
    if (!removal) {
      removal = this.removeNow(id, reason).finally(() => this.underWay.delete(id));
      this.underWay.set(id, removal);
    }
    return removal;
  }

  /** Resolves when no removal is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.underWay.values());
  }

  private async removeNow(id: string, reason: string): Promise<void> {
    this.registry.startDraining(id, { reason, deadline: this.clock.wallTime() });
    await this.runtime.remove(id, STOP_GRACE_MS);
    this.log.info('engine removed', { engine_id: id, reason });
    this.registry.gone(id, reason);
  }
}
