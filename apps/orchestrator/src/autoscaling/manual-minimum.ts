import { Log } from '@acexy/service-kit';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { PoolOrders } from '../database/pool-orders.js';

/**
 * The least number of engines there are to be, as `POST /scale` ordered it: kept over restarts, replaced by the next order, lifted by
 * `POST /gc`. What comes of it the reconcile loop decides.
 */
@Injectable()
export class ManualMinimum implements OnModuleInit {
  private ordered: number | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly log: Log;

  constructor(
    private readonly orders: PoolOrders,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('engines');
  }

  async onModuleInit(): Promise<void> {
    this.ordered = await this.orders.loadFloor();
    if (this.ordered !== null) this.log.info('manual floor of an earlier run', { floor: this.ordered });
  }

  /** Engines; null where none was ordered. */
  get value(): number | null {
    return this.ordered;
  }

  /**
   * Is in force at once and resolves when it also survives a kill.
   * @param engines an integer of at least 0
   * @throws what the database says; the floor then holds until the service ends
   */
  async set(engines: number): Promise<void> {
    if (!Number.isSafeInteger(engines) || engines < 0) throw new RangeError(`a floor must be an integer of at least 0, not ${engines}`);
    await this.change(engines);
  }

  /** @returns whether there was one */
  async lift(): Promise<boolean> {
    if (this.ordered === null) return false;
    await this.change(null);
    return true;
  }

  /** Calls back on every change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async change(floor: number | null): Promise<void> {
    this.log.info(floor === null ? 'manual floor lifted' : 'manual floor set', { floor, before: this.ordered });
    this.ordered = floor;
    // Writes keep their order, so that the last one that was ordered is the one that stays.
    const saved = this.orders.saveFloor(floor, new Date(this.clock.wallTime()));
    for (const listener of this.listeners) listener();
    await saved;
  }
}
