import { EngineState, StreamState } from '@acexy/contracts';
import { Controller, Get, Header, Inject, NotFoundException, Param, Query, Req, Res } from '@nestjs/common';
import { ApiNotFoundResponse, ApiOkResponse, ApiOperation, ApiProperty, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { EngineViews } from './engine-views.service.js';
import { STREAM_VIEWS, type StreamViews } from './stream-views.js';

export class EngineWithStreams {
  @ApiProperty({ type: () => EngineState })
  engine!: EngineState;

  @ApiProperty({ type: () => [StreamState] })
  streams!: StreamState[];
}

@ApiTags('engines')
@Controller('engines')
export class EnginesController {
  constructor(
    private readonly views: EngineViews,
    @Inject(STREAM_VIEWS) private readonly streams: StreamViews,
  ) {}

  @Get()
  @Header('Cache-Control', 'max-age=5')
  @ApiOperation({ summary: 'Engines whose API has answered; with state=all also those that are starting' })
  @ApiQuery({ name: 'state', required: false, enum: ['all'] })
  @ApiOkResponse({
    type: [EngineState],
    headers: { ETag: { description: 'Changes when the answer does, except for mere sightings', schema: { type: 'string' } } },
  })
  @ApiResponse({ status: 304, description: 'Nothing changed since the ETag in If-None-Match' })
  list(
    @Query('state') state: string | undefined,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): EngineState[] | undefined {
    const all = state === 'all';
    response.setHeader('ETag', this.views.etag(all));
    // Express answers 304 by itself where the caller has this one; the list need not be made then.
    return request.fresh ? undefined : this.views.list(all);
  }

  @Get(':id')
  @ApiOperation({ summary: 'One engine and what plays on it' })
  @ApiOkResponse({ type: EngineWithStreams })
  @ApiNotFoundResponse()
  one(@Param('id') id: string): EngineWithStreams {
    const engine = this.views.one(id);
    if (!engine) throw new NotFoundException(`no engine ${id}`);
    return { engine, streams: this.streams.playingOn(engine.container_id) };
  }
}
