import { ApiProperty } from '@nestjs/swagger';

export const KEY_TYPES = ['content_id', 'infohash', 'url', 'magnet'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

export const STREAM_STATUSES = ['started', 'ended'] as const;
export type StreamStatus = (typeof STREAM_STATUSES)[number];

/** One stream, playing or ended. Times are ISO 8601 in UTC or null. */
export class StreamState {
  @ApiProperty({ example: '5f0c4a2e-7f0c-4b7b-9f43-7a1a1a1a1a1a' })
  id!: string;

  @ApiProperty({ enum: KEY_TYPES })
  key_type!: KeyType;

  @ApiProperty({ example: 'dd1e67078381739d14beca697356ab76d49d1a2d' })
  key!: string;

  @ApiProperty({ example: '3f1c9a7be2d4' })
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

/** What the engine said of a stream at one moment. Speeds are kB/s, totals are bytes. */
export class StreamStatSnapshot {
  @ApiProperty({ format: 'date-time' })
  ts!: string;

  @ApiProperty({ type: 'integer', nullable: true, example: 4 })
  peers!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'kB/s', example: 257 })
  speed_down!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'kB/s', example: 29 })
  speed_up!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'bytes', example: 3276800 })
  downloaded!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'bytes', example: 491520 })
  uploaded!: number | null;

  @ApiProperty({ type: String, nullable: true, example: 'dl' })
  status!: string | null;
}
