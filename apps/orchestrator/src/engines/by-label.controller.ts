import { ContainerInfo } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { BadRequestException, Controller, Get, Query, UseGuards } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiOkResponse,
  ApiOperation,
  ApiQuery,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { EngineViews } from './engine-views.service.js';

@ApiTags('containers')
@Controller('by-label')
export class ByLabelController {
  constructor(private readonly views: EngineViews) {}

  @Get()
  @UseGuards(BearerGuard)
  @ApiBearerAuth()
  @ApiOperation({ summary: 'The containers of this installation that bear a label, engines and others; from memory' })
  @ApiQuery({ name: 'key', description: 'Name of the label' })
  @ApiQuery({ name: 'value', required: false, description: 'Any value where it is left out' })
  @ApiOkResponse({ type: [ContainerInfo] })
  @ApiBadRequestResponse()
  @ApiUnauthorizedResponse()
  list(@Query('key') key: unknown, @Query('value') value: unknown): ContainerInfo[] {
    if (typeof key !== 'string' || key === '') throw new BadRequestException('key must be the name of a label');
    if (value !== undefined && typeof value !== 'string') throw new BadRequestException('value must be given once at most');
    return this.views.containersWith(key, value);
  }
}
