import { ApiProperty, ApiPropertyOptional } from '@acexy/service-kit/openapi';
import { IsIn, IsOptional, Matches } from 'class-validator';
import { IsText } from './validators.js';
import { INFOHASH_PATTERN, KEY_TYPES, type KeyType, STREAM_STATUSES, type StreamStatus } from './vocabulary.js';

export const EXAMPLE_STAT_URL = 'http://127.0.0.1:19000/ace/stat/0a48b0a5ad6b4dd1b6a6c3c0c4b4f5d5e6f70819/1';
export const EXAMPLE_COMMAND_URL = 'http://127.0.0.1:19000/ace/cmd/0a48b0a5ad6b4dd1b6a6c3c0c4b4f5d5e6f70819/1';

/** Which content is requested. */
export class ContentKey {
  @ApiProperty({ enum: KEY_TYPES })
  @IsIn(KEY_TYPES)
  key_type!: KeyType;

  @ApiProperty({
    description: 'Content id, infohash, URL or magnet link: see key_type',
    example: 'dd1e67078381739d14beca697356ab76d49d1a2d',
  })
  @IsText(4096, 1)
  key!: string;
}

export class ContentKeyWithInfohash extends ContentKey {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'Infohash of the content, when it is known',
    example: '0a48b0a5ad6b4dd1b6a6c3c0c4b4f5d5e6f70819',
  })
  @IsOptional()
  @Matches(INFOHASH_PATTERN, { message: 'infohash must be 40 hexadecimal digits' })
  infohash?: string | null;
}

/** One stream, playing or ended. Times are ISO 8601 in UTC or null. */
export class StreamState {
  @ApiProperty({ example: '5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a' })
  id!: string;

  @ApiProperty({ enum: KEY_TYPES })
  key_type!: KeyType;

  @ApiProperty({ example: 'dd1e67078381739d14beca697356ab76d49d1a2d' })
  key!: string;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Infohash of the content, when it is known',
    example: '0a48b0a5ad6b4dd1b6a6c3c0c4b4f5d5e6f70819',
  })
  infohash!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Title of the content, when the engine knows it', example: 'Channel one' })
  title!: string | null;

  @ApiProperty({ description: 'Engine that plays the stream', example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: '0a1b2c3d4e5f60718293a4b5c6d7e8f901234567' })
  playback_session_id!: string;

  @ApiProperty({ example: 'http://127.0.0.1:19000/ace/stat/…' })
  stat_url!: string;

  @ApiProperty({ example: 'http://127.0.0.1:19000/ace/cmd/…' })
  command_url!: string;

  @ApiProperty()
  is_live!: boolean;

  @ApiProperty({ format: 'date-time' })
  started_at!: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  ended_at!: string | null;

  @ApiProperty({ enum: STREAM_STATUSES })
  status!: StreamStatus;
}

/** Statistics of one stream at one moment, as the engine reported them. A value is null when the engine did not report it. */
export class StreamStatSnapshot {
  @ApiProperty({ format: 'date-time' })
  ts!: string;

  @ApiProperty({ type: 'integer', nullable: true, example: 4 })
  peers!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Download speed in kB/s', example: 257 })
  speed_down!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Upload speed in kB/s', example: 29 })
  speed_up!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Bytes downloaded so far', example: 3276800 })
  downloaded!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Bytes uploaded so far', example: 491520 })
  uploaded!: number | null;

  @ApiProperty({ type: String, nullable: true, example: 'dl' })
  status!: string | null;
}
