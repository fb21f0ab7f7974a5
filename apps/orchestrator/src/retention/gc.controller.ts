import { Controller, HttpCode, HttpStatus, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Protected } from '../http/protected.js';
import { LongOperation } from '../http/request-limit.interceptor.js';
import { CollectedGarbage } from './collected-garbage.js';
import { GarbageCollection } from './garbage-collection.service.js';

@ApiTags('maintenance')
@Controller('gc')
export class GcController {
  constructor(private readonly collection: GarbageCollection) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  @Protected()
  @LongOperation()
  @ApiOperation({ summary: 'Removes the manual minimum, idle engines beyond the minimum, dead containers and old database rows' })
  @ApiOkResponse({ type: CollectedGarbage })
  run(): Promise<CollectedGarbage> {
    return this.collection.run();
  }
}
