import { Log } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { ReconcileService } from '../autoscaling/reconcile.service.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import type { CollectedGarbage } from './collected-garbage.js';
import { Retention } from './retention.service.js';

/** `POST /gc`; simultaneous calls share one run. */
@Injectable()
export class GarbageCollection {
  private underWay: Promise<CollectedGarbage> | null = null;
  private readonly log: Log;

  constructor(
    private readonly reconcile: ReconcileService,
    private readonly sync: EngineSync,
    private readonly retention: Retention,
    log: Log,
  ) {
    this.log = log.child('retention');
  }

  /** @throws RuntimeFailedError if the container runtime is unreachable; what the database throws */
  run(): Promise<CollectedGarbage> {
    this.underWay ??= this.collect().finally(() => (this.underWay = null));
    return this.underWay;
  }

  private async collect(): Promise<CollectedGarbage> {
    // Dead containers first: the registry may still list them as idle engines.
    const containers = await this.sync.collectDead();
    const engines = await this.reconcile.collect();
    const rows = await this.retention.sweep();
    this.log.info('garbage collected', { engines: engines.length, containers: containers.length, rows });
    return { status: 'ok', removed_engines: engines, removed_containers: containers, removed_rows: rows };
  }
}
