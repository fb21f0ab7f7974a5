import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { IsLabelMap } from './is-label-map.js';
import { IsPortMap } from './is-port-map.js';

const IMAGE_PATTERN = /^[\w][\w.\-/:@]*$/;

/** `POST /provision/acestream`; the body and every field of it are optional. */
export class ProvisionAcestreamRequest {
  @ApiPropertyOptional({ type: String, nullable: true, description: 'Instead of TARGET_IMAGE', example: 'acestream/engine:latest' })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  @Matches(IMAGE_PATTERN, { message: 'image must be an image reference such as "repository/name:tag"' })
  image?: string | null;

  @ApiPropertyOptional({ type: 'object', nullable: true, additionalProperties: { type: 'string' }, example: { tier: 'gold' } })
  @IsOptional()
  @IsLabelMap()
  labels?: Record<string, string> | null;

  @ApiPropertyOptional({ type: 'object', nullable: true, additionalProperties: { type: 'string' }, example: { INTERNAL_BUFFERING: '60' } })
  @IsOptional()
  @IsLabelMap()
  env?: Record<string, string> | null;

  @ApiPropertyOptional({
    type: 'integer',
    nullable: true,
    minimum: 1,
    maximum: 65535,
    description: 'The HTTP port wanted on the host',
    example: 19000,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(65535)
  host_port?: number | null;
}

export class ProvisionAcestreamResponse {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'acestream-5c1e9f04' })
  container_name!: string;

  @ApiProperty({ type: 'integer', example: 19000 })
  host_http_port!: number;

  @ApiProperty({ type: 'integer', example: 19000 })
  container_http_port!: number;

  @ApiProperty({ type: 'integer', example: 45000 })
  container_https_port!: number;
}

/** What a name in Docker may consist of; the orchestrator adds a hyphen and 8 digits. */
const NAME_PREFIX_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** `POST /provision`: a container that is no engine; the body and every field of it are optional. */
export class ProvisionRequest {
  @ApiPropertyOptional({ description: 'Instead of TARGET_IMAGE', example: 'nginx:1' })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  @Matches(IMAGE_PATTERN, { message: 'image must be an image reference such as "repository/name:tag"' })
  image?: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' }, example: { MODE: 'quiet' } })
  @IsOptional()
  @IsLabelMap()
  env?: Record<string, string>;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'Besides the labels of the orchestrator, which nobody can change',
    example: { tier: 'gold' },
  })
  @IsOptional()
  @IsLabelMap()
  labels?: Record<string, string>;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'integer' },
    example: { '40001/tcp': 19001 },
    description: 'Port of the container → port of the host',
  })
  @IsOptional()
  @IsPortMap()
  ports?: Record<string, number>;

  @ApiPropertyOptional({ default: 'svc', description: 'What the name of the container begins with', example: 'svc' })
  @IsOptional()
  @IsString()
  @MaxLength(50)
  @Matches(NAME_PREFIX_PATTERN, { message: 'name_prefix must be letters, digits, "_", "." and "-", the first a letter or digit' })
  name_prefix?: string;
}

export class ProvisionResponse {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'svc-5c1e9f04' })
  container_name!: string;
}

export const BLOCKED_CODES = ['vpn_disconnected', 'circuit_breaker', 'max_capacity', 'vpn_error', 'general_error'] as const;
export type BlockedCode = (typeof BLOCKED_CODES)[number];

/** The `detail` of a refused provisioning call: 503 `provisioning_blocked`, or 500 `provisioning_failed` with `general_error`. */
export class ProvisioningBlocked {
  @ApiProperty({ enum: ['provisioning_blocked', 'provisioning_failed'] })
  error!: 'provisioning_blocked' | 'provisioning_failed';

  @ApiProperty({ enum: BLOCKED_CODES })
  code!: BlockedCode;

  @ApiProperty({ example: 'all 20 engines of MAX_REPLICAS exist already' })
  message!: string;

  @ApiProperty({ type: 'integer', description: 'Whole seconds: a fraction or a null makes Go clients drop the whole answer', example: 30 })
  recovery_eta_seconds!: number;

  @ApiProperty()
  can_retry!: boolean;

  @ApiProperty()
  should_wait!: boolean;
}
