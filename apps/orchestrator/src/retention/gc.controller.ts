import { BearerGuard } from '@acexy/service-kit';
import { Controller, HttpCode, HttpStatus, Post, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiProperty, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger';
import { LongOperation } from '../http/request-limit.interceptor.js';
import { GarbageCollection } from './garbage-collection.service.js';

export class RemovedRows {
  @ApiProperty({ type: 'integer', description: 'Ended streams that were remembered for too long', example: 0 })
  streams!: number;

  @ApiProperty({ type: 'integer', description: 'Statistics of streams, likewise', example: 0 })
  stats!: number;
}

export class CollectedGarbage {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ type: [String], description: 'Ids of idle engines beyond the minimum', example: ['3f1c9a7be2d4'] })
  removed_engines!: string[];

  @ApiProperty({ type: [String], description: 'Ids of containers that did not run any more', example: [] })
  removed_containers!: string[];

  @ApiProperty({ type: () => RemovedRows })
  removed_rows!: RemovedRows;
}

@ApiTags('maintenance')
@Controller('gc')
export class GcController {
  constructor(private readonly collection: GarbageCollection) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  @UseGuards(BearerGuard)
  @LongOperation()
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Lifts the manual floor and removes what nobody needs: idle engines beyond the minimum, dead containers, stale rows',
  })
  @ApiOkResponse({ type: CollectedGarbage })
  @ApiUnauthorizedResponse()
  run(): Promise<CollectedGarbage> {
    return this.collection.run();
  }
}
