import { ApiProperty, ApiPropertyOptional } from '@acexy/service-kit/openapi';
import { IsOptional, Matches } from 'class-validator';
import { IsLabelMap, IsPortMap, IsText, IsWholeNumber } from './validators.js';
import { BLOCKED_CODES, type BlockedCode } from './vocabulary.js';

const IMAGE_PATTERN = /^[\w][\w.\-/:@]*$/;
const IMAGE_ERROR = { message: 'image must be an image reference such as "repository/name:tag"' };
/** Docker's rule for container names. The orchestrator appends a hyphen and 8 digits. */
const NAME_PREFIX_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** `POST /provision/acestream`: start an engine. The body and all its fields are optional. */
export class ProvisionAcestreamRequest {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'Image to use instead of TARGET_IMAGE',
    example: 'acestream/engine:latest',
  })
  @IsOptional()
  @IsText(512)
  @Matches(IMAGE_PATTERN, IMAGE_ERROR)
  image?: string | null;

  @ApiPropertyOptional({ type: 'object', nullable: true, additionalProperties: { type: 'string' }, example: { tier: 'gold' } })
  @IsOptional()
  @IsLabelMap()
  labels?: Record<string, string> | null;

  @ApiPropertyOptional({ type: 'object', nullable: true, additionalProperties: { type: 'string' }, example: { INTERNAL_BUFFERING: '60' } })
  @IsOptional()
  @IsLabelMap()
  env?: Record<string, string> | null;

  @ApiPropertyOptional({ type: Number, nullable: true, description: 'Preferred HTTP port on the host', example: 19000 })
  @IsOptional()
  @IsWholeNumber(1, 65535)
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

/** `POST /provision`: start a container that is not an engine. The body and all its fields are optional. */
export class ProvisionRequest {
  @ApiPropertyOptional({ description: 'Image to use instead of TARGET_IMAGE', example: 'nginx:1' })
  @IsOptional()
  @IsText(512)
  @Matches(IMAGE_PATTERN, IMAGE_ERROR)
  image?: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' }, example: { MODE: 'quiet' } })
  @IsOptional()
  @IsLabelMap()
  env?: Record<string, string>;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'Labels in addition to those of the orchestrator, which cannot be changed',
    example: { tier: 'gold' },
  })
  @IsOptional()
  @IsLabelMap()
  labels?: Record<string, string>;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'integer' },
    example: { '40001/tcp': 19001 },
    description: 'Published ports: container port to host port',
  })
  @IsOptional()
  @IsPortMap()
  ports?: Record<string, number>;

  @ApiPropertyOptional({ default: 'svc', description: 'First part of the container name', example: 'svc' })
  @IsOptional()
  @IsText(50)
  @Matches(NAME_PREFIX_PATTERN, { message: 'name_prefix must be letters, digits, "_", "." and "-", and start with a letter or digit' })
  name_prefix?: string;
}

export class ProvisionResponse {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'svc-5c1e9f04' })
  container_name!: string;
}

/** Why no engine can be started at the moment. */
export class BlockedReason {
  @ApiProperty({ enum: BLOCKED_CODES })
  code!: BlockedCode;

  @ApiProperty({
    example: 'the limit of 20 engines is reached: raise MAX_REPLICAS (behind a VPN also MAX_ACTIVE_REPLICAS), or wait for a free engine',
  })
  message!: string;

  // A fraction or a null here makes Go clients drop the whole answer.
  @ApiProperty({ type: 'integer', description: 'Whole seconds after which a new attempt makes sense', example: 30 })
  recovery_eta_seconds!: number;

  @ApiProperty()
  can_retry!: boolean;

  @ApiProperty()
  should_wait!: boolean;
}

/** `detail` of a refused provisioning call: 503 `provisioning_blocked`, or 500 `provisioning_failed` with `general_error`. */
export class ProvisioningBlocked extends BlockedReason {
  @ApiProperty({ enum: ['provisioning_blocked', 'provisioning_failed'] })
  error!: 'provisioning_blocked' | 'provisioning_failed';
}
