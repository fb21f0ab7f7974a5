import { Log } from '@acexy/service-kit';
import { Controller, HttpCode, HttpStatus, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@acexy/service-kit/openapi';
import { ReconcileService } from '../autoscaling/reconcile.service.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { Protected } from '../http/protected.js';
import { LongOperation } from '../http/request-limit.interceptor.js';
import { CollectedGarbage } from './collected-garbage.js';
import { Retention } from './retention.service.js';

@ApiTags('maintenance')
@Controller('gc')
export class GcController {
  private running: Promise<CollectedGarbage> | null = null;
  private readonly log: Log;

  constructor(
    private readonly reconcile: ReconcileService,
    private readonly sync: EngineSync,
    private readonly retention: Retention,
    log: Log,
  ) {
    this.log = log.child('retention');
  }

  /** Simultaneous calls share one run. */
  @Post()
  @HttpCode(HttpStatus.OK)
  @Protected()
  @LongOperation()
  @ApiOperation({ summary: 'Removes the manual minimum, idle engines beyond the minimum, dead containers and old database rows' })
  @ApiOkResponse({ type: CollectedGarbage })
  run(): Promise<CollectedGarbage> {
    this.running ??= this.collect().finally(() => (this.running = null));
    return this.running;
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
