import { ProxyReport, ReportAnswer } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { Body, Controller, Param, ParseUUIDPipe, Put, UseGuards } from '@nestjs/common';
import { ApiBadRequestResponse, ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger';
import { STRICT } from '../http/validation.js';
import { ProxyReports } from './proxy-reports.service.js';

@ApiTags('streams')
@ApiBearerAuth()
@ApiUnauthorizedResponse()
@UseGuards(BearerGuard)
@Controller('proxies')
export class ReportsController {
  constructor(private readonly reports: ProxyReports) {}

  @Put(':proxy_id/report')
  @ApiOperation({ summary: 'Reports all sessions of a proxy, and those that ended since the last acknowledged report' })
  @ApiOkResponse({ type: ReportAnswer })
  @ApiBadRequestResponse()
  report(@Param('proxy_id', ParseUUIDPipe) proxyId: string, @Body(STRICT) report: ProxyReport): ReportAnswer {
    return this.reports.take(proxyId, report);
  }
}
