import { LeaseGranted, LeaseRequest, LeaseWaiting } from '@acexy/contracts';
import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@acexy/service-kit/openapi';
import type { Request, Response } from 'express';
import { Protected } from '../http/protected.js';
import { ProvisioningRefusal } from '../http/provisioning-refusal.js';
import { LENIENT } from '../http/validation.js';
import { EngineViews } from '../engines/engine-views.service.js';
import { LeasePreview, LeasePreviewQuery } from './lease-preview.js';
import { LeaseService } from './lease.service.js';

export class ReleasedLease {
  @ApiProperty({ format: 'uuid' })
  released!: string;
}

@ApiTags('leases')
@Protected()
@Controller('engines/lease')
export class LeasesController {
  constructor(
    private readonly leases: LeaseService,
    private readonly views: EngineViews,
  ) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Leases an engine for one stream; waits up to wait_ms for a free one' })
  @ApiOkResponse({ type: LeaseGranted })
  @ApiAcceptedResponse({ type: LeaseWaiting, description: 'No engine is free yet: ask again with the same request_id' })
  @ApiServiceUnavailableResponse({ type: ProvisioningRefusal })
  @ApiBadRequestResponse()
  async ask(
    @Body(LENIENT) body: LeaseRequest,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<LeaseGranted | LeaseWaiting> {
    const hangUp = new AbortController();
    const onClose = (): void => hangUp.abort();
    request.socket.once('close', onClose);
    try {
      const answer = await this.leases.ask(body, hangUp.signal);
      if ('state' in answer) response.status(HttpStatus.ACCEPTED);
      return answer;
    } finally {
      request.socket.off('close', onClose);
    }
  }

  @Get('preview')
  @ApiOperation({ summary: 'Shows which engine a lease would get and why, without reserving it' })
  @ApiOkResponse({ type: LeasePreview })
  @ApiBadRequestResponse()
  preview(@Query(LENIENT) query: LeasePreviewQuery): LeasePreview {
    const exclude = query.exclude?.split(',').filter(Boolean) ?? [];
    const { chosen, reason, considered } = this.leases.preview(
      { keyType: query.key_type, key: query.key, infohash: query.infohash },
      exclude,
    );
    return { engine: chosen && this.views.one(chosen.id), reason, waiting: this.leases.waitingCount, considered };
  }

  @Delete(':lease_id')
  @ApiOperation({ summary: 'Ends a lease. A request_id instead of a lease id also cancels a request that still waits in the queue' })
  @ApiOkResponse({ type: ReleasedLease })
  @ApiBadRequestResponse({ description: 'The id is not a UUID' })
  @ApiNotFoundResponse({ description: 'Unknown, already released or expired' })
  release(@Param('lease_id', ParseUUIDPipe) leaseId: string): ReleasedLease {
    if (!this.leases.release(leaseId)) throw new NotFoundException(`no lease ${leaseId}`);
    return { released: leaseId };
  }
}
