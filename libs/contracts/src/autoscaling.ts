import { ApiProperty } from '@nestjs/swagger';

/** `POST /scale/{demand}`. */
export class ScaleAnswer {
  @ApiProperty({
    type: 'integer',
    description: 'How many engines there will be: at least those in use plus the free ones, at most MAX_REPLICAS',
  })
  scaled_to!: number;
}

export class EngineDeparture {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'surplus, idle for 31 s' })
  reason!: string;
}

/** What a round of the autoscaler saw. */
export class ScalingInputs {
  @ApiProperty({ type: 'integer', description: 'Engines there are and engines ordered' })
  total!: number;

  @ApiProperty({ type: 'integer' })
  free!: number;

  @ApiProperty({ type: 'integer', description: 'Engines with streams or leases' })
  busy!: number;

  @ApiProperty({ type: 'integer' })
  starting!: number;

  @ApiProperty({ type: 'integer', description: 'Ordered, and not running yet' })
  pending!: number;

  @ApiProperty({ type: 'integer' })
  unhealthy!: number;

  @ApiProperty({ type: 'integer' })
  draining!: number;

  @ApiProperty({ type: 'integer', description: 'Kept back, such as in quarantine' })
  held!: number;

  @ApiProperty({ type: 'integer', description: 'Callers who wait for an engine' })
  waiting!: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Ordered by POST /scale' })
  floor!: number | null;

  @ApiProperty({ type: 'integer', description: 'Free engines that were taken within the time an engine takes to come up' })
  taken!: number;

  @ApiProperty({ type: 'integer', description: 'Highest target of the last while, within which the pool does not shrink' })
  recent_peak!: number;

  @ApiProperty({ type: 'integer', description: 'MIN_REPLICAS' })
  min_free!: number;

  @ApiProperty({ type: 'integer', description: 'MAX_REPLICAS' })
  max!: number;
}

/** One decision of the autoscaler; rounds that saw and decided the same follow each other as one. */
export class ScalingDecisionRecord {
  @ApiProperty({ format: 'date-time', description: 'Its first round' })
  decided_at!: string;

  @ApiProperty({ format: 'date-time', description: 'Its last round so far' })
  confirmed_at!: string;

  @ApiProperty({ type: 'integer' })
  rounds!: number;

  @ApiProperty({ type: () => ScalingInputs })
  inputs!: ScalingInputs;

  @ApiProperty({ type: 'integer', description: 'How many engines there should be' })
  target!: number;

  @ApiProperty({ type: 'integer', description: 'Free engines wanted beyond min_free, because the pool runs hot' })
  lookahead!: number;

  @ApiProperty({ type: 'integer', description: 'Engines ordered' })
  started!: number;

  @ApiProperty({ type: 'integer', description: 'Those of them that take the place of unhealthy ones' })
  replacements!: number;

  @ApiProperty({ type: 'integer', description: 'Ordered ones called off before their start' })
  revoked!: number;

  @ApiProperty({ type: () => [EngineDeparture] })
  drained!: EngineDeparture[];

  @ApiProperty({ type: () => [EngineDeparture] })
  removed!: EngineDeparture[];

  @ApiProperty({ type: String, nullable: true, description: 'Why no engine could be started', example: null })
  blocked!: string | null;

  @ApiProperty({ type: [String] })
  reasons!: string[];
}
