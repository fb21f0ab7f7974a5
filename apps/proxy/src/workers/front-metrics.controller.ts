import { Controller, Get, Res } from '@nestjs/common';
import { PrometheusController } from '@willsoto/nestjs-prometheus';
import type { Response } from 'express';
import { register } from 'prom-client';
import { WorkerFleet } from './worker-fleet.js';

/** The metrics of the whole proxy. */
@Controller()
export class FrontMetricsController extends PrometheusController {
  constructor(private readonly fleet: WorkerFleet) {
    super();
  }

  @Get()
  override async index(@Res({ passthrough: true }) response: Response): Promise<string> {
    response.header('Content-Type', register.contentType);
    return this.fleet.metricsText();
  }
}
