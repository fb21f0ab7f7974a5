import { EngineHealthScore } from '@acexy/contracts';
import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@acexy/service-kit/openapi';
import { EnginesHealth } from './engines-health.service.js';

@ApiTags('engines')
@Controller('engines/health-score')
export class HealthScoreController {
  constructor(private readonly health: EnginesHealth) {}

  @Get()
  @ApiOperation({ summary: 'Score of each engine for the next stream, best first, with reasons' })
  @ApiOkResponse({ type: [EngineHealthScore] })
  scores(): EngineHealthScore[] {
    return this.health.scores();
  }
}
