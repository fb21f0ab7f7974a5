import { ApiProperty } from '@acexy/service-kit/openapi';

export class RemovedRows {
  @ApiProperty({ type: 'integer', description: 'Ended streams beyond the history limits', example: 0 })
  streams!: number;

  @ApiProperty({ type: 'integer', description: 'Stream statistics beyond the history limits', example: 0 })
  stats!: number;
}

export class CollectedGarbage {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ type: [String], description: 'Ids of idle engines beyond the minimum', example: ['3f1c9a7be2d4'] })
  removed_engines!: string[];

  @ApiProperty({ type: [String], description: 'Ids of containers that were not running', example: [] })
  removed_containers!: string[];

  @ApiProperty({ type: () => RemovedRows })
  removed_rows!: RemovedRows;
}
