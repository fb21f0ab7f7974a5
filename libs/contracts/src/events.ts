import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { IsLabelMap } from './is-label-map.js';
import { KEY_TYPES, type KeyType, StreamState } from './stream.js';

export class EventEngine {
  @ApiProperty({ example: '127.0.0.1' })
  @IsString()
  @Length(1, 255)
  host!: string;

  @ApiProperty({ type: 'integer', example: 19000 })
  @IsInt()
  @Min(1)
  @Max(65535)
  port!: number;
}

export class EventStream {
  @ApiProperty({ enum: KEY_TYPES })
  @IsIn(KEY_TYPES)
  key_type!: KeyType;

  @ApiProperty({ example: 'dd1e67078381739d14beca697356ab76d49d1a2d' })
  @IsString()
  @Length(1, 4096)
  key!: string;
}

export class EventSession {
  @ApiProperty({ example: 'a1b2c3d4e5f60718293a4b5c6d7e8f9001234567' })
  @IsString()
  @Length(1, 256)
  playback_session_id!: string;

  @ApiProperty({
    description: 'Only the path is kept; host and port come from our own registry',
    example: 'http://127.0.0.1:19000/ace/stat/0a48b0a5ad6b4dd1b6a6c3c0c4b4f5d5e6f70819/1',
  })
  @IsString()
  @Length(1, 2048)
  stat_url!: string;

  @ApiProperty({
    description: 'Only the path is kept; host and port come from our own registry',
    example: 'http://127.0.0.1:19000/ace/cmd/0a48b0a5ad6b4dd1b6a6c3c0c4b4f5d5e6f70819/1',
  })
  @IsString()
  @Length(1, 2048)
  command_url!: string;

  @ApiProperty({ type: 'integer', enum: [0, 1] })
  @IsIn([0, 1])
  is_live!: 0 | 1;
}

/** `POST /events/stream_started`. The stream's id is `labels.stream_id`, else `<key>|<playback_session_id>`. */
export class StreamStartedEvent {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'May be wrong or missing; the engine is then found by host and port',
    example: '3f1c9a7be2d4',
  })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  container_id?: string | null;

  @ApiProperty({ type: () => EventEngine })
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => EventEngine)
  engine!: EventEngine;

  @ApiProperty({ type: () => EventStream })
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => EventStream)
  stream!: EventStream;

  @ApiProperty({ type: () => EventSession })
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => EventSession)
  session!: EventSession;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' }, example: { stream_id: 'channel-1' } })
  @IsOptional()
  @IsLabelMap()
  labels?: Record<string, string>;
}

/** `POST /events/stream_ended`. At least one of `stream_id` and `container_id` says which. */
export class StreamEndedEvent {
  @ApiPropertyOptional({ type: String, nullable: true, example: '3f1c9a7be2d4' })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  container_id?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, example: 'channel-1' })
  @IsOptional()
  @IsString()
  @MaxLength(4400)
  stream_id?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, example: 'eof' })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  reason?: string | null;
}

/** 202 of `POST /events/stream_ended`. */
export class StreamEndedAnswer {
  @ApiProperty({ description: 'False for a stream that is not known or had ended already' })
  updated!: boolean;

  @ApiProperty({ type: () => StreamState, nullable: true })
  stream!: StreamState | null;
}

/** Events of one kind in one batch. */
export const EVENTS_PER_BATCH = 1000;

/** `POST /events/batch`: events are looked at one by one, and a bad one does not spoil the others. */
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

/** What became of one event of a batch. */
export class BatchedEventAnswer {
  @ApiProperty()
  success!: boolean;

  @ApiPropertyOptional({ description: 'Where it succeeded', example: '5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a' })
  stream_id?: string;

  @ApiPropertyOptional({ description: 'Of an end: false where the stream had ended already or was never known' })
  updated?: boolean;

  @ApiPropertyOptional({ description: 'Where it did not: what is wrong with the event', example: 'engine.port must not be less than 1' })
  error?: string;
}

export class EventBatchAnswer {
  @ApiProperty({ type: () => [BatchedEventAnswer], description: 'In the order of the request' })
  started!: BatchedEventAnswer[];

  @ApiProperty({ type: () => [BatchedEventAnswer], description: 'In the order of the request' })
  ended!: BatchedEventAnswer[];
}
