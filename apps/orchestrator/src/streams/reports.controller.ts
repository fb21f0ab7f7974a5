import { ProxyReport, ReportAnswer } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { Body, Controller, Param, ParseUUIDPipe, Put, UseGuards } from '@nestjs/common';
import { ApiBadRequestResponse, ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger';
import { STRICT } from '../http/validation.js';
import { StreamService } from './stream.service.js';

@ApiTags('streams')
@ApiBearerAuth()
@ApiUnauthorizedResponse()
@UseGuards(BearerGuard)
@Controller('proxies')
export class ReportsController {
  constructor(private readonly streams: StreamService) {}

  @Put(':proxy_id/report')
  @ApiOperation({ summary: 'All that a proxy of ours plays, and what ended since the last report acknowledged' })
  @ApiOkResponse({ type: ReportAnswer })
  @ApiBadRequestResponse()
  report(@Param('proxy_id', ParseUUIDPipe) proxyId: string, @Body(STRICT) report: ProxyReport): ReportAnswer {
    return this.streams.report(proxyId, report);
  }
}
