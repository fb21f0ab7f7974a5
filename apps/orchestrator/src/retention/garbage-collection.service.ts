import { Log } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { EngineSync } from '../engines/engine-sync.service.js';
import { PoolCollector } from '../engines/pool-collector.js';
import { type SweptRows, Retention } from './retention.service.js';

export interface Collected {
  status: 'ok';
  removed_engines: string[];
  removed_containers: string[];
  removed_rows: SweptRows;
}

/** What `POST /gc` does, once however many ask at the same time. */
@Injectable()
export class GarbageCollection {
  private underWay: Promise<Collected> | null = null;
  private readonly log: Log;

  constructor(
    private readonly pool: PoolCollector,
    private readonly sync: EngineSync,
    private readonly upkeep: Retention,
    log: Log,
  ) {
    this.log = log.child('maintenance');
  }

  /** @throws RuntimeFailedError where what runs the engines is out of reach; what the database says */
  run(): Promise<Collected> {
    this.underWay ??= this.carryOut().finally(() => (this.underWay = null));
    return this.underWay;
  }

  private async carryOut(): Promise<Collected> {
    // The dead first: they are no idle engines, though the registry may not know yet.
    const containers = await this.sync.collectDead();
    const engines = await this.pool.collect();
    const rows = await this.upkeep.sweep();
    this.log.info('garbage collected', { engines: engines.length, containers: containers.length, rows });
    return { status: 'ok', removed_engines: engines, removed_containers: containers, removed_rows: rows };
  }
}
