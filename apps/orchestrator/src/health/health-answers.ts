import { CIRCUIT_STATES, type CircuitState } from '@acexy/contracts';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** The shape of terminus. */
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
  @ApiProperty({ type: 'integer' })
  max_concurrent!: number;

  @ApiProperty({ description: 'seconds' })
  min_interval_s!: number;

  @ApiProperty({ type: 'integer' })
  in_progress!: number;

  @ApiProperty({ type: 'integer' })
  queued!: number;

  @ApiProperty({ type: 'integer', description: 'How many more could be started at once' })
  remaining!: number;
}

export class ImageFigures {
  @ApiProperty()
  name!: string;

  @ApiProperty({ enum: ['unknown', 'pulling', 'present', 'missing'] })
  state!: 'unknown' | 'pulling' | 'present' | 'missing';

  @ApiProperty({ type: 'integer', nullable: true, description: 'While it is being pulled: 0 to 100' })
  percent!: number | null;

  @ApiProperty({ type: 'string', nullable: true, description: 'Why it is missing' })
  reason!: string | null;
}

export class ReadyAnswer extends HealthAnswer {
  @ApiProperty()
  ready!: boolean;

  @ApiProperty({ type: 'integer', description: 'Engines whose API has answered' })
  engines!: number;

  @ApiProperty({ type: 'integer' })
  active_streams!: number;

  @ApiProperty({ enum: CIRCUIT_STATES })
  circuit_state!: CircuitState;

  @ApiProperty({ type: () => ProvisioningFigures })
  provisioning!: ProvisioningFigures;

  @ApiPropertyOptional({ type: () => ImageFigures, description: 'Image of the engines, where they run as containers' })
  image?: ImageFigures;

  @ApiProperty({ format: 'date-time' })
  timestamp!: string;
}
