import { STREAM_STATUSES, StreamState, type StreamStatus } from '@acexy/contracts';
import { Controller, Get, Query } from '@nestjs/common';
import { ApiBadRequestResponse, ApiOkResponse, ApiOperation, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import { LENIENT } from '../api/validation.js';
import { StreamService } from './stream.service.js';

export class StreamQuery {
  @ApiPropertyOptional({ enum: STREAM_STATUSES })
  @IsOptional()
  @IsIn(STREAM_STATUSES)
  status?: StreamStatus;

  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  @MaxLength(256)
  container_id?: string;
}

@ApiTags('streams')
@Controller('streams')
export class StreamsController {
  constructor(private readonly streams: StreamService) {}

  @Get()
  @ApiOperation({ summary: 'Streams that play or have ended, newest first' })
  @ApiOkResponse({ type: [StreamState] })
  @ApiBadRequestResponse()
  list(@Query(LENIENT) { status, container_id: containerId }: StreamQuery): StreamState[] {
    return this.streams.list({ status, containerId });
  }
}
