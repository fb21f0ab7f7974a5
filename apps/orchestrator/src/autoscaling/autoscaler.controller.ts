import { ScaleAnswer, ScalingDecisionRecord } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { BadRequestException, Controller, Get, HttpCode, HttpStatus, Param, Post, Query, UseGuards } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { LongOperation } from '../http/request-limit.interceptor.js';
import { ManualMinimum } from './manual-minimum.js';
import { ReconcileService } from './reconcile.service.js';

const MOST_SHOWN = 300;

@ApiTags('autoscaling')
@ApiBearerAuth()
@ApiUnauthorizedResponse()
@ApiBadRequestResponse()
@UseGuards(BearerGuard)
@Controller()
export class AutoscalerController {
  constructor(
    private readonly floor: ManualMinimum,
    private readonly reconcile: ReconcileService,
  ) {}

  @Post('scale/:demand')
  @HttpCode(HttpStatus.OK)
  @LongOperation()
  @ApiOperation({ summary: 'Orders a least number of engines in all; holds over restarts, until the next order or POST /gc' })
  @ApiParam({ name: 'demand', schema: { type: 'integer', minimum: 0 }, example: 10 })
  @ApiOkResponse({ type: ScaleAnswer })
  async scale(@Param('demand') demand: string): Promise<ScaleAnswer> {
    await this.floor.set(wholeNumber('demand', demand, 0, Number.MAX_SAFE_INTEGER));
    return { scaled_to: this.reconcile.target() };
  }

  @Get('autoscaler/decisions')
  @ApiOperation({ summary: 'The last decisions of the autoscaler with what led to them, newest first' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: MOST_SHOWN, default: MOST_SHOWN } })
  @ApiOkResponse({ type: [ScalingDecisionRecord] })
  decisions(@Query('limit') limit?: unknown): ScalingDecisionRecord[] {
    return this.reconcile.latestDecisions(limit === undefined ? MOST_SHOWN : wholeNumber('limit', limit, 1, MOST_SHOWN));
  }
}

function wholeNumber(name: string, text: unknown, least: number, most: number): number {
  const number = typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  if (!(number >= least && number <= most)) throw new BadRequestException(`${name} must be an integer ${range}`);
  return number;
}
