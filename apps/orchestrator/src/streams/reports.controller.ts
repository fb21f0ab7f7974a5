import { ProxyReport, ReportAnswer } from '@acexy/contracts';
import { Body, Controller, Param, ParseUUIDPipe, Put } from '@nestjs/common';
import { ApiBadRequestResponse, ApiOkResponse, ApiOperation, ApiTags } from '@acexy/service-kit/openapi';
import { Protected } from '../http/protected.js';
import { LENIENT } from '../http/validation.js';
import { ProxyReports } from './proxy-reports.service.js';

@ApiTags('streams')
@Protected()
@Controller('proxies')
export class ReportsController {
  constructor(private readonly reports: ProxyReports) {}

  @Put(':proxy_id/report')
  @ApiOperation({ summary: 'Reports all sessions of a proxy, and those that ended since the last acknowledged report' })
  @ApiOkResponse({ type: ReportAnswer })
  @ApiBadRequestResponse()
  report(@Param('proxy_id', ParseUUIDPipe) proxyId: string, @Body(LENIENT) report: ProxyReport): ReportAnswer {
    return this.reports.take(proxyId, report);
  }
}
