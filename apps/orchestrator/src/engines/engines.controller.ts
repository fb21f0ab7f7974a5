import { EngineState } from '@acexy/contracts';
import { Controller, Get, Header, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@acexy/service-kit/openapi';
import type { Request, Response } from 'express';
import { EngineViews } from './engine-views.service.js';
import { FirstEngines } from './first-engines.js';

@ApiTags('engines')
@Controller('engines')
export class EnginesController {
  constructor(
    private readonly views: EngineViews,
    private readonly first: FirstEngines,
  ) {}

  @Get()
  @Header('Cache-Control', 'max-age=5')
  @ApiOperation({ summary: 'Lists the engines whose API has answered; with state=all also the starting ones' })
  @ApiQuery({ name: 'state', required: false, enum: ['all'] })
  @ApiOkResponse({
    type: [EngineState],
    headers: {
      ETag: {
        description: 'ETag of the list; a change of last_seen or last_health_check alone does not change it',
        schema: { type: 'string' },
      },
    },
  })
  @ApiResponse({ status: 304, description: 'Nothing changed since the ETag in If-None-Match' })
  async list(
    @Query('state') state: string | undefined,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Buffer | undefined> {
    await this.first.inService;
    const all = state === 'all';
    response.setHeader('ETag', this.views.etag(all));
    // Express answers 304 for a fresh request; then the list is not needed.
    return request.fresh ? undefined : this.views.json(all);
  }
}
