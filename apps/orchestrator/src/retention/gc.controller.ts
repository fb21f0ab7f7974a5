import { BearerGuard } from '@acexy/service-kit';
import { Controller, HttpCode, HttpStatus, Post, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger';
import { LongOperation } from '../http/request-limit.interceptor.js';
import { CollectedGarbage } from './collected-garbage.js';
import { GarbageCollection } from './garbage-collection.service.js';

@ApiTags('maintenance')
@Controller('gc')
export class GcController {
  constructor(private readonly collection: GarbageCollection) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  @UseGuards(BearerGuard)
  @LongOperation()
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Removes the manual minimum, idle engines beyond the minimum, dead containers and old database rows' })
  @ApiOkResponse({ type: CollectedGarbage })
  @ApiUnauthorizedResponse()
  run(): Promise<CollectedGarbage> {
    return this.collection.run();
  }
}
