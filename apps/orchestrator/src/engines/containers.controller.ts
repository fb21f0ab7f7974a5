import { ContainerInfo, PortBinding } from '@acexy/contracts';
import { BadRequestException, Controller, Delete, Get, NotFoundException, Param, Query } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiExtraModels,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiQuery,
  ApiTags,
} from '@acexy/service-kit/openapi';
import { Protected } from '../http/protected.js';
import { LongOperation } from '../http/request-limit.interceptor.js';
import { EngineRemover } from './engine-remover.service.js';
import { EngineViews } from './engine-views.service.js';

export class DeletedContainer {
  @ApiProperty({ description: 'Id of the removed container', example: '3f1c9a7be2d4' })
  deleted!: string;
}

/** All containers of this installation, engines and others. */
@ApiTags('containers')
@ApiExtraModels(PortBinding)
@Controller()
export class ContainersController {
  constructor(
    private readonly views: EngineViews,
    private readonly remover: EngineRemover,
  ) {}

  @Get('containers/:id')
  @ApiOperation({ summary: 'Describes one container of this installation' })
  @ApiOkResponse({ type: ContainerInfo })
  @ApiNotFoundResponse()
  one(@Param('id') id: string): ContainerInfo {
    return this.find(id);
  }

  @Delete('containers/:id')
  @Protected()
  @LongOperation()
  @ApiOperation({ summary: 'Stops and removes a container of this installation, even if a stream plays on it' })
  @ApiOkResponse({ type: DeletedContainer })
  @ApiNotFoundResponse()
  async remove(@Param('id') id: string): Promise<DeletedContainer> {
    const container = this.find(id);
    await this.remover.remove(container.id, 'deleted through the API');
    return { deleted: container.id };
  }

  @Get('by-label')
  @Protected()
  @ApiOperation({ operationId: 'ByLabelController_list', summary: 'Lists the containers of this installation that have a label' })
  @ApiQuery({ name: 'key', description: 'Name of the label' })
  @ApiQuery({ name: 'value', required: false, description: 'Value of the label; without it any value matches' })
  @ApiOkResponse({ type: [ContainerInfo] })
  @ApiBadRequestResponse()
  byLabel(@Query('key') key: unknown, @Query('value') value: unknown): ContainerInfo[] {
    if (typeof key !== 'string' || key === '') throw new BadRequestException('key must be the name of a label');
    if (value !== undefined && typeof value !== 'string') throw new BadRequestException('value must be given at most once');
    return this.views.containersWith(key, value);
  }

  private find(id: string): ContainerInfo {
    const container = this.views.container(id);
    if (!container) throw new NotFoundException(`no container ${id} of this installation`);
    return container;
  }
}
