import { ApiProperty, ApiPropertyOptional } from '@acexy/service-kit/openapi';
import { HEALTH_STATUSES, type HealthStatus } from './vocabulary.js';

/** One engine. Times are ISO 8601 in UTC or null, never an empty string: Go clients parse each of them. */
export class EngineState {
  @ApiProperty({ description: 'Container id, or the id that the process runtime gave the engine', example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'acestream-19000' })
  container_name!: string;

  @ApiProperty({ description: 'Host that a proxy connects to', example: '127.0.0.1' })
  host!: string;

  @ApiProperty({ type: 'integer', description: 'HTTP port of the engine on that host', example: 19000 })
  port!: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, example: { 'acestream.http_port': '19000' } })
  labels!: Record<string, string>;

  @ApiProperty({ description: 'True for an engine that has a forwarded port of its VPN' })
  forwarded!: boolean;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  first_seen!: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  last_seen!: string;

  @ApiProperty({ type: [String], description: 'Ids of the streams that play on the engine' })
  streams!: string[];

  @ApiProperty({ enum: HEALTH_STATUSES })
  health_status!: HealthStatus;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_health_check!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_stream_usage!: string | null;

  @ApiPropertyOptional({ description: 'Image of the engine. Other orchestrators do not send it', example: 'acestream/engine:latest' })
  image?: string;

  @ApiPropertyOptional({
    description: 'True when a new engine would be made from another image or other settings. Other orchestrators do not send it',
    example: false,
  })
  outdated?: boolean;
}
