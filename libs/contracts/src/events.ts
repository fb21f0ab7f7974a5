import { ApiProperty, ApiPropertyOptional } from '@acexy/service-kit/openapi';
import { ArrayMaxSize, IsArray, IsIn, IsOptional } from 'class-validator';
import { ContentKey, EXAMPLE_COMMAND_URL, EXAMPLE_STAT_URL, StreamState } from './stream.js';
import { IsLabelMap, IsNested, IsText, IsWholeNumber } from './validators.js';
import { EVENTS_PER_BATCH } from './vocabulary.js';

const PATH_ONLY = 'Only the path is kept: the orchestrator knows host and port of the engine';

export class EventEngine {
  @ApiProperty({ example: '127.0.0.1' })
  @IsText(255, 1)
  host!: string;

  @ApiProperty({ example: 19000 })
  @IsWholeNumber(1, 65535)
  port!: number;
}

export class EventSession {
  @ApiProperty({ example: 'a1b2c3d4e5f60718293a4b5c6d7e8f9001234567' })
  @IsText(256, 1)
  playback_session_id!: string;

  @ApiProperty({ description: PATH_ONLY, example: EXAMPLE_STAT_URL })
  @IsText(2048, 1)
  stat_url!: string;

  @ApiProperty({ description: PATH_ONLY, example: EXAMPLE_COMMAND_URL })
  @IsText(2048, 1)
  command_url!: string;

  @ApiProperty({ type: 'integer', enum: [0, 1] })
  @IsIn([0, 1])
  is_live!: 0 | 1;
}

/** `POST /events/stream_started`. The id of the stream is `labels.stream_id`, or `<key>|<playback_session_id>` without that label. */
export class StreamStartedEvent {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'May be wrong or missing: then the engine is found by host and port',
    example: '3f1c9a7be2d4',
  })
  @IsOptional()
  @IsText(256)
  container_id?: string | null;

  @ApiProperty({ type: () => EventEngine })
  @IsNested(() => EventEngine)
  engine!: EventEngine;

  @ApiProperty({ type: () => ContentKey })
  @IsNested(() => ContentKey)
  stream!: ContentKey;

  @ApiProperty({ type: () => EventSession })
  @IsNested(() => EventSession)
  session!: EventSession;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' }, example: { stream_id: 'channel-1' } })
  @IsOptional()
  @IsLabelMap()
  labels?: Record<string, string>;
}

/** `POST /events/stream_ended`. `stream_id` or `container_id` names the stream. */
export class StreamEndedEvent {
  @ApiPropertyOptional({ type: String, nullable: true, example: '3f1c9a7be2d4' })
  @IsOptional()
  @IsText(256)
  container_id?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, example: 'channel-1' })
  @IsOptional()
  @IsText(4400)
  stream_id?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, example: 'eof' })
  @IsOptional()
  @IsText(1024)
  reason?: string | null;
}

/** 202 of `POST /events/stream_ended`. */
export class StreamEndedAnswer {
  @ApiProperty({ description: 'False when the stream is unknown or has already ended' })
  updated!: boolean;

  @ApiProperty({ type: () => StreamState, nullable: true })
  stream!: StreamState | null;
}

/** `POST /events/batch`. Events are validated one by one: an invalid event does not affect the others. */
export class EventBatch {
  @ApiPropertyOptional({ type: () => [StreamStartedEvent], nullable: true })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(EVENTS_PER_BATCH)
  started?: unknown[] | null;

  @ApiPropertyOptional({ type: () => [StreamEndedEvent], nullable: true })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(EVENTS_PER_BATCH)
  ended?: unknown[] | null;
}

/** Result of one event of a batch. */
export class BatchedEventAnswer {
  @ApiProperty()
  success!: boolean;

  @ApiPropertyOptional({ description: 'Id of the stream, when the event succeeded', example: '5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a' })
  stream_id?: string;

  @ApiPropertyOptional({ description: 'For an end event: false when the stream is unknown or has already ended' })
  updated?: boolean;

  @ApiPropertyOptional({ description: 'What is wrong with the event, when it failed', example: 'engine.port must not be less than 1' })
  error?: string;
}

export class EventBatchAnswer {
  @ApiProperty({ type: () => [BatchedEventAnswer], description: 'Results in the order of the request' })
  started!: BatchedEventAnswer[];

  @ApiProperty({ type: () => [BatchedEventAnswer], description: 'Results in the order of the request' })
  ended!: BatchedEventAnswer[];
}
