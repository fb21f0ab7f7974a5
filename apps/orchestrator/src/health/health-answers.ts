import { CIRCUIT_STATES, type CircuitState } from '@acexy/contracts';
import { ApiProperty, ApiPropertyOptional } from '@acexy/service-kit/openapi';

/** The format of terminus. */
export class HealthAnswer {
  @ApiProperty({ example: 'ok' })
  status!: string;

  @ApiProperty({ type: 'object', additionalProperties: true })
  info!: object;

  @ApiProperty({ type: 'object', additionalProperties: true })
  error!: object;

  @ApiProperty({ type: 'object', additionalProperties: true })
  details!: object;
}

export class ProvisioningFigures {
  @ApiProperty({ type: 'integer', example: 5 })
  max_concurrent!: number;

  @ApiProperty({ description: 'seconds', example: 0.5 })
  min_interval_s!: number;

  @ApiProperty({ type: 'integer', example: 0 })
  in_progress!: number;

  @ApiProperty({ type: 'integer', example: 0 })
  queued!: number;

  @ApiProperty({ type: 'integer', description: 'Number of engines that could be started now', example: 5 })
  remaining!: number;
}

export class ImageFigures {
  @ApiProperty({ example: 'acestream/engine:latest' })
  name!: string;

  @ApiProperty({ enum: ['unknown', 'pulling', 'present', 'missing'] })
  state!: 'unknown' | 'pulling' | 'present' | 'missing';

  @ApiProperty({ type: 'integer', nullable: true, description: 'Progress of the pull, 0 to 100', example: 40 })
  percent!: number | null;

  @ApiProperty({
    type: 'string',
    nullable: true,
    description: 'Why the image is missing, or why IMAGE_PULL=always got no newer one',
    example: 'no such image',
  })
  reason!: string | null;
}

export class StartFailure {
  @ApiProperty({ example: 'no space left on device' })
  reason!: string;

  @ApiProperty({ format: 'date-time' })
  at!: string;
}

export class ReadyAnswer extends HealthAnswer {
  @ApiProperty()
  ready!: boolean;

  @ApiProperty({ type: 'integer', description: 'Number of engines whose API has answered', example: 3 })
  engines!: number;

  @ApiProperty({ type: 'integer', example: 1 })
  active_streams!: number;

  @ApiProperty({ enum: CIRCUIT_STATES })
  circuit_state!: CircuitState;

  @ApiProperty({ type: () => ProvisioningFigures })
  provisioning!: ProvisioningFigures;

  @ApiProperty({ type: () => StartFailure, nullable: true, description: 'Last failed start, until one succeeds' })
  last_start_failure!: StartFailure | null;

  @ApiPropertyOptional({ type: () => ImageFigures, description: 'Engine image; only when engines run as containers' })
  image?: ImageFigures;

  @ApiProperty({ format: 'date-time' })
  timestamp!: string;
}
