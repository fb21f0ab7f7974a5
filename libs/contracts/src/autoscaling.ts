import { ApiProperty } from '@acexy/service-kit/openapi';

/** `POST /scale/{demand}`. */
export class ScaleAnswer {
  @ApiProperty({
    type: 'integer',
    description: 'Target number of engines: at least the busy engines plus the minimum of free ones, at most MAX_REPLICAS',
  })
  scaled_to!: number;
}

export class EngineDeparture {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  container_id!: string;

  @ApiProperty({ example: 'surplus, idle for 31 s' })
  reason!: string;
}

/** What the autoscaler observed in one round. */
export class ScalingInputs {
  @ApiProperty({ type: 'integer', description: 'Existing engines plus ordered ones' })
  total!: number;

  @ApiProperty({ type: 'integer' })
  free!: number;

  @ApiProperty({ type: 'integer', description: 'Engines with streams or leases' })
  busy!: number;

  @ApiProperty({ type: 'integer' })
  starting!: number;

  @ApiProperty({ type: 'integer', description: 'Engines that are ordered but do not run yet' })
  pending!: number;

  @ApiProperty({ type: 'integer' })
  unhealthy!: number;

  @ApiProperty({ type: 'integer' })
  draining!: number;

  @ApiProperty({ type: 'integer', description: 'Cordoned engines, for example in quarantine' })
  held!: number;

  @ApiProperty({ type: 'integer', description: 'Lease requests that wait for an engine' })
  waiting!: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Manual minimum set by POST /scale' })
  floor!: number | null;

  @ApiProperty({ type: 'integer', description: 'Free engines that were leased during the time that an engine needs to start' })
  taken!: number;

  @ApiProperty({ type: 'integer', description: 'Highest target of the last grace period; the pool does not shrink below it' })
  recent_peak!: number;

  @ApiProperty({ type: 'integer', description: 'MIN_REPLICAS' })
  min_free!: number;

  @ApiProperty({ type: 'integer', description: 'MAX_REPLICAS' })
  max!: number;
}

/** One decision of the autoscaler. Consecutive rounds with the same inputs and decision are one record. */
export class ScalingDecisionRecord {
  @ApiProperty({ format: 'date-time', description: 'Time of the first round' })
  decided_at!: string;

  @ApiProperty({ format: 'date-time', description: 'Time of the last round so far' })
  confirmed_at!: string;

  @ApiProperty({ type: 'integer' })
  rounds!: number;

  @ApiProperty({ type: () => ScalingInputs })
  inputs!: ScalingInputs;

  @ApiProperty({ type: 'integer', description: 'Target number of engines' })
  target!: number;

  @ApiProperty({ type: 'integer', description: 'Free engines wanted in addition to min_free, because demand is rising' })
  lookahead!: number;

  @ApiProperty({ type: 'integer', description: 'Engines ordered' })
  started!: number;

  @ApiProperty({ type: 'integer', description: 'Engines ordered to replace unhealthy ones (included in started)' })
  replacements!: number;

  @ApiProperty({ type: 'integer', description: 'Ordered engines that were cancelled before their start' })
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
