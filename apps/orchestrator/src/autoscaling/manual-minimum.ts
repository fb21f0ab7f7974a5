import { Log } from '@acexy/service-kit';
import { Clock, ListenerSet } from '@acexy/service-kit/primitives';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PoolOrders } from '../database/pool-orders.js';

/** The smallest number of engines, set with `POST /scale/{demand}`. It is kept over restarts, until the next `/scale` or `POST /gc`. */
@Injectable()
export class ManualMinimum implements OnModuleInit {
  private engines: number | null = null;
  private readonly changes = new ListenerSet();
  private readonly log: Log;

  constructor(
    private readonly orders: PoolOrders,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('engines');
  }

  async onModuleInit(): Promise<void> {
    this.engines = await this.orders.loadManualMinimum();
    if (this.engines !== null) this.log.info('manual minimum loaded', { engines: this.engines });
  }

  /** Null if none is set. */
  get value(): number | null {
    return this.engines;
  }

  /**
   * Takes effect at once; resolves when it is saved.
   * @param engines an integer of at least 0; null removes the minimum
   * @throws what the database throws; the value then stays until the service ends
   */
  async set(engines: number | null): Promise<void> {
    if (engines === null && this.engines === null) return;
    this.log.info(engines === null ? 'manual minimum removed' : 'manual minimum set', { engines, before: this.engines });
    this.engines = engines;
    // Writes keep their order, so the last value is the one that is saved last.
    const saved = this.orders.saveManualMinimum(engines, new Date(this.clock.wallTime()));
    this.changes.emit();
    await saved;
  }

  /** @returns unsubscribes */
  onChange(listener: () => void): () => void {
    return this.changes.subscribe(listener);
  }
}
