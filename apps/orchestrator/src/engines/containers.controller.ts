import { ContainerInfo, PortBinding } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { Controller, Delete, Get, NotFoundException, Param, UseGuards } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiExtraModels,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { LongOperation } from '../http/request-limit.interceptor.js';
import { EngineRemover } from './engine-remover.service.js';
import { EngineViews } from './engine-views.service.js';

export class DeletedContainer {
  @ApiProperty({ description: 'The id of the container that is gone', example: '3f1c9a7be2d4' })
  deleted!: string;
}

@ApiTags('containers')
@ApiExtraModels(PortBinding)
@Controller('containers')
export class ContainersController {
  constructor(
    private readonly views: EngineViews,
    private readonly remover: EngineRemover,
  ) {}

  @Get(':id')
  @ApiOperation({ summary: 'What the runtime says of one container of ours' })
  @ApiOkResponse({ type: ContainerInfo })
  @ApiNotFoundResponse()
  one(@Param('id') id: string): ContainerInfo {
    return this.find(id);
  }

  @Delete(':id')
  @UseGuards(BearerGuard)
  @LongOperation()
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Stops and removes a container of ours, whatever plays on it' })
  @ApiOkResponse({ type: DeletedContainer })
  @ApiNotFoundResponse()
  @ApiUnauthorizedResponse()
  async remove(@Param('id') id: string): Promise<DeletedContainer> {
    const container = this.find(id);
    await this.remover.remove(container.id, 'deleted through the API');
    return { deleted: container.id };
  }

  private find(id: string): ContainerInfo {
    const container = this.views.container(id);
    if (!container) throw new NotFoundException(`no container ${id} of ours`);
    return container;
  }
}
