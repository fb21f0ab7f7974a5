import { StreamEndedEvent, StreamStartedEvent, StreamState } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { Body, Controller, HttpCode, HttpStatus, Post, UseGuards } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiOperation,
  ApiProperty,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { LENIENT } from '../api/validation.js';
import { StreamService } from './stream.service.js';

export class StreamEndedAnswer {
  @ApiProperty({ description: 'False for a stream that is not known or had ended already' })
  updated!: boolean;

  @ApiProperty({ type: () => StreamState, nullable: true })
  stream!: StreamState | null;
}

/** What proxies without reports tell. */
@ApiTags('streams')
@ApiBearerAuth()
@ApiUnauthorizedResponse()
@ApiBadRequestResponse()
@UseGuards(BearerGuard)
@Controller('events')
export class EventsController {
  constructor(private readonly streams: StreamService) {}

  @Post('stream_started')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({ summary: 'A stream plays on an engine' })
  @ApiAcceptedResponse({ type: StreamState })
  started(@Body(LENIENT) event: StreamStartedEvent): StreamState {
    return this.streams.started(event);
  }

  @Post('stream_ended')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({ summary: 'A stream has ended' })
  @ApiAcceptedResponse({ type: StreamEndedAnswer })
  ended(@Body(LENIENT) event: StreamEndedEvent): StreamEndedAnswer {
    return this.streams.ended(event);
  }
}
