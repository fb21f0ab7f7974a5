import { EventBatch, EventBatchAnswer, StreamEndedAnswer, StreamEndedEvent, StreamStartedEvent, StreamState } from '@acexy/contracts';
import { Body, Controller, HttpCode, HttpStatus, Post } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@acexy/service-kit/openapi';
import { Protected } from '../http/protected.js';
import { LENIENT } from '../http/validation.js';
import { StreamEvents } from './stream-events.service.js';

/** Events of proxies that send no reports. */
@ApiTags('streams')
@ApiBadRequestResponse()
@ApiServiceUnavailableResponse({ description: 'The database is not available: send the event again' })
@Protected()
@Controller('events')
export class EventsController {
  constructor(private readonly events: StreamEvents) {}

  @Post('stream_started')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({ summary: 'Reports that a stream plays on an engine; answers when the event is saved' })
  @ApiAcceptedResponse({ type: StreamState })
  started(@Body(LENIENT) event: StreamStartedEvent): Promise<StreamState> {
    return this.events.started(event);
  }

  @Post('stream_ended')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({ summary: 'Reports that a stream has ended; answers when the event is saved' })
  @ApiAcceptedResponse({ type: StreamEndedAnswer })
  ended(@Body(LENIENT) event: StreamEndedEvent): Promise<StreamEndedAnswer> {
    return this.events.ended(event);
  }

  @Post('batch')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Reports several starts and ends; an invalid event does not affect the others' })
  @ApiOkResponse({ type: EventBatchAnswer })
  batch(@Body(LENIENT) batch: EventBatch): Promise<EventBatchAnswer> {
    return this.events.batch(batch);
  }
}
