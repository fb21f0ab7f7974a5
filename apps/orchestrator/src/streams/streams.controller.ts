import { STREAM_STATUSES, StreamState, StreamStatSnapshot, type StreamStatus } from '@acexy/contracts';
import { BadRequestException, Controller, Get, NotFoundException, Param, Query } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiPropertyOptional,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@acexy/service-kit/openapi';
import { IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import { LENIENT } from '../http/validation.js';
import { parseIsoTime } from './since.js';
import { StatsCollector } from './stats-collector.service.js';
import { toStatSnapshot } from './stream-shapes.js';
import { StreamService } from './stream.service.js';

export class StreamQuery {
  @ApiPropertyOptional({ enum: STREAM_STATUSES })
  @IsOptional()
  @IsIn(STREAM_STATUSES)
  status?: StreamStatus;

  @ApiPropertyOptional({ example: '3f1c9a7be2d4' })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  container_id?: string;
}

@ApiTags('streams')
@Controller('streams')
export class StreamsController {
  constructor(
    private readonly streams: StreamService,
    private readonly stats: StatsCollector,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Lists streams, newest first; with status=started only the playing ones' })
  @ApiOkResponse({ type: [StreamState], headers: { ETag: { description: 'ETag of the answer', schema: { type: 'string' } } } })
  @ApiResponse({ status: 304, description: 'Nothing changed since the ETag in If-None-Match' })
  @ApiBadRequestResponse()
  list(@Query(LENIENT) { status, container_id: containerId }: StreamQuery): StreamState[] {
    return this.streams.list({ status, containerId });
  }

  @Get(':id/stats')
  @ApiOperation({ summary: 'Lists the statistics of a stream, oldest first; kept for an hour after its end' })
  @ApiQuery({ name: 'since', required: false, example: '2026-01-31T12:00:00Z', description: 'ISO 8601; UTC if it has no zone' })
  @ApiOkResponse({ type: [StreamStatSnapshot] })
  @ApiNotFoundResponse()
  @ApiBadRequestResponse()
  statsOf(@Param('id') id: string, @Query('since') since: unknown): StreamStatSnapshot[] {
    const from = since === undefined || since === '' ? undefined : typeof since === 'string' ? parseIsoTime(since) : null;
    if (from === null) throw new BadRequestException('since must be a time in ISO 8601, such as 2026-01-31T12:00:00Z');
    if (!this.streams.get(id)) throw new NotFoundException(`no stream ${id}`);
    return this.stats.since(id, from).map(toStatSnapshot);
  }
}
