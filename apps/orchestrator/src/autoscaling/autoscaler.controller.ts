import { ScaleAnswer, ScalingDecisionRecord } from '@acexy/contracts';
import { BadRequestException, Controller, Get, HttpCode, HttpStatus, Param, Post, Query } from '@nestjs/common';
import { ApiBadRequestResponse, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@acexy/service-kit/openapi';
import { Protected } from '../http/protected.js';
import { LongOperation } from '../http/request-limit.interceptor.js';
import { ManualMinimum } from './manual-minimum.js';
import { ReconcileService } from './reconcile.service.js';

const MAX_LIMIT = 300;

@ApiTags('autoscaling')
@ApiBadRequestResponse()
@Protected()
@Controller()
export class AutoscalerController {
  constructor(
    private readonly manualMinimum: ManualMinimum,
    private readonly reconcile: ReconcileService,
  ) {}

  @Post('scale/:demand')
  @HttpCode(HttpStatus.OK)
  @LongOperation()
  @ApiOperation({ summary: 'Sets the manual minimum of engines, busy ones included; kept over restarts until the next call or POST /gc' })
  @ApiParam({ name: 'demand', schema: { type: 'integer', minimum: 0 }, example: 10 })
  @ApiOkResponse({ type: ScaleAnswer })
  async scale(@Param('demand') demand: string): Promise<ScaleAnswer> {
    await this.manualMinimum.set(wholeNumber('demand', demand, 0, Number.MAX_SAFE_INTEGER));
    return { scaled_to: this.reconcile.target() };
  }

  @Get('autoscaler/decisions')
  @ApiOperation({ summary: 'The latest decisions of the autoscaler with their inputs and reasons, newest first' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: MAX_LIMIT } })
  @ApiOkResponse({ type: [ScalingDecisionRecord] })
  decisions(@Query('limit') limit?: unknown): ScalingDecisionRecord[] {
    return this.reconcile.latestDecisions(limit === undefined ? MAX_LIMIT : wholeNumber('limit', limit, 1, MAX_LIMIT));
  }
}

function wholeNumber(name: string, text: unknown, min: number, max: number): number {
  const number = typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  if (!(number >= min && number <= max)) throw new BadRequestException(`${name} must be an integer ${range}`);
  return number;
}
