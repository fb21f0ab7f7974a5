import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { IsLabelMap } from './is-label-map.js';

const IMAGE_PATTERN = /^[\w][\w.\-/:@]*$/;

/** `POST /provision/acestream`; the body and every field of it are optional. */
export class ProvisionAcestreamRequest {
  @ApiPropertyOptional({ description: 'Instead of TARGET_IMAGE' })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  @Matches(IMAGE_PATTERN, { message: 'image must be an image reference such as "repository/name:tag"' })
  image?: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @IsOptional()
  @IsLabelMap()
  labels?: Record<string, string>;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @IsOptional()
  @IsLabelMap()
  env?: Record<string, string>;

  @ApiPropertyOptional({ minimum: 1, maximum: 65535, description: 'The HTTP port wanted on the host' })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(65535)
  host_port?: number;
}

export class ProvisionAcestreamResponse {
  @ApiProperty()
  container_id!: string;

  @ApiProperty()
  container_name!: string;

  @ApiProperty()
  host_http_port!: number;

  @ApiProperty()
  container_http_port!: number;

  @ApiProperty()
  container_https_port!: number;
}

export const BLOCKED_CODES = ['vpn_disconnected', 'circuit_breaker', 'max_capacity', 'vpn_error', 'general_error'] as const;
export type BlockedCode = (typeof BLOCKED_CODES)[number];

/** The `detail` of a refused provisioning call: 503 `provisioning_blocked`, or 500 `provisioning_failed` with `general_error`. */
export class ProvisioningBlocked {
  @ApiProperty({ enum: ['provisioning_blocked', 'provisioning_failed'] })
  error!: 'provisioning_blocked' | 'provisioning_failed';

  @ApiProperty({ enum: BLOCKED_CODES })
  code!: BlockedCode;

  @ApiProperty()
  message!: string;

  @ApiProperty({ type: 'integer', description: 'Whole seconds: a fraction or a null makes Go clients drop the whole answer' })
  recovery_eta_seconds!: number;

  @ApiProperty()
  can_retry!: boolean;

  @ApiProperty()
  should_wait!: boolean;
}
