import { CIRCUIT_STATES, type CircuitState } from '@acexy/contracts';
import { ApiProperty } from '@nestjs/swagger';

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

  @ApiProperty({ format: 'date-time' })
  timestamp!: string;
}
