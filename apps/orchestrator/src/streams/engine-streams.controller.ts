import { EngineState, StreamState } from '@acexy/contracts';
import { Controller, Get, NotFoundException, Param } from '@nestjs/common';
import { ApiNotFoundResponse, ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@acexy/service-kit/openapi';
import { EngineViews } from '../engines/engine-views.service.js';
import { StreamService } from './stream.service.js';

export class EngineWithStreams {
  @ApiProperty({ type: () => EngineState })
  engine!: EngineState;

  @ApiProperty({ type: () => [StreamState] })
  streams!: StreamState[];
}

/** One engine of `GET /engines`; it belongs to streams, because engines know nothing of streams. */
@ApiTags('engines')
@Controller('engines')
export class EngineStreamsController {
  constructor(
    private readonly engines: EngineViews,
    private readonly streams: StreamService,
  ) {}

  @Get(':id')
  @ApiOperation({ operationId: 'EnginesController_one', summary: 'Describes one engine and the streams that play on it' })
  @ApiOkResponse({ type: EngineWithStreams })
  @ApiNotFoundResponse()
  one(@Param('id') id: string): EngineWithStreams {
    const engine = this.engines.one(id);
    if (!engine) throw new NotFoundException(`no engine ${id}`);
    return { engine, streams: this.streams.list({ status: 'started', containerId: engine.container_id }) };
  }
}
