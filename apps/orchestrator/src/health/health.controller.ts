import { EnginesHealthStatus } from '@acexy/contracts';
import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@acexy/service-kit/openapi';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import type { Response } from 'express';
import { EnginesHealth } from './engines-health.service.js';
import { HealthAnswer, ReadyAnswer } from './health-answers.js';
import { ReadinessReport } from './readiness-report.service.js';

@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly report: ReadinessReport,
    private readonly engines: EnginesHealth,
  ) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Liveness of the service; independent of its dependencies' })
  @ApiOkResponse({ type: HealthAnswer })
  alive(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  @Get('ready')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Readiness of the service, with its limits and engines' })
  @ApiOkResponse({ type: ReadyAnswer })
  @ApiServiceUnavailableResponse({
    type: ReadyAnswer,
    description: 'First reconcile round not finished, container runtime or database unreachable, or shutting down',
  })
  async ready(@Res({ passthrough: true }) response: Response): Promise<ReadyAnswer> {
    const answer = await this.report.make();
    response.status(answer.ready ? 200 : 503);
    return answer;
  }

  @Get('status')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Health of the engines, and the circuit breakers' })
  @ApiOkResponse({ type: EnginesHealthStatus })
  status(): EnginesHealthStatus {
    return this.engines.status();
  }
}
