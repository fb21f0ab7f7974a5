import { OrchestratorStatus } from '@acexy/contracts';
import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@acexy/service-kit/openapi';
import { OrchestratorStatusReport } from './orchestrator-status.service.js';

@ApiTags('health')
@Controller('orchestrator')
export class OrchestratorStatusController {
  constructor(private readonly report: OrchestratorStatusReport) {}

  @Get('status')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Engines, streams, capacity, and whether another engine can be started now' })
  @ApiOkResponse({ type: OrchestratorStatus })
  status(): Promise<OrchestratorStatus> {
    return this.report.make();
  }
}
