import { EventBatch, EventBatchAnswer, StreamEndedAnswer, StreamEndedEvent, StreamStartedEvent, StreamState } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { Body, Controller, HttpCode, HttpStatus, Post, UseGuards } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { LENIENT } from '../http/validation.js';
import { StreamEvents } from './stream-events.service.js';

/** What proxies without reports tell. */
@ApiTags('streams')
@ApiBearerAuth()
@ApiUnauthorizedResponse()
@ApiBadRequestResponse()
@ApiServiceUnavailableResponse({ description: 'The database takes nothing just now: send it again' })
@UseGuards(BearerGuard)
@Controller('events')
export class EventsController {
  constructor(private readonly events: StreamEvents) {}

  @Post('stream_started')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({ summary: 'A stream plays on an engine; answered when it is saved' })
  @ApiAcceptedResponse({ type: StreamState })
  started(@Body(LENIENT) event: StreamStartedEvent): Promise<StreamState> {
    return this.events.started(event);
  }

  @Post('stream_ended')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({ summary: 'A stream has ended; answered when that is saved' })
  @ApiAcceptedResponse({ type: StreamEndedAnswer })
  ended(@Body(LENIENT) event: StreamEndedEvent): Promise<StreamEndedAnswer> {
    return this.events.ended(event);
  }

  @Post('batch')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Many starts and ends; one bad event does not spoil the others' })
  @ApiOkResponse({ type: EventBatchAnswer })
  batch(@Body(LENIENT) batch: EventBatch): Promise<EventBatchAnswer> {
    return this.events.batch(batch);
  }
}
