import { ProvisionAcestreamRequest, ProvisionAcestreamResponse, ProvisionRequest, ProvisionResponse } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { Body, Controller, HttpCode, HttpStatus, Inject, NotImplementedException, Post, UseGuards } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiBody,
  ApiInternalServerErrorResponse,
  ApiNotImplementedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { ProvisioningRefusal } from '../http/provisioning-refusal.js';
import { LENIENT } from '../http/validation.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { EngineStarter } from './engine-starter.service.js';

/** On every answer of a provisioning call. */
const LIMIT_HEADERS = {
  'X-RateLimit-Provisioning-Limit': { description: 'Engines that may be started at the same time', schema: { type: 'integer' as const } },
  'X-RateLimit-Provisioning-Remaining': { description: 'How many more could be started now', schema: { type: 'integer' as const } },
};
const REFUSAL_HEADERS = {
  ...LIMIT_HEADERS,
  'X-Circuit-State': { description: 'While the circuit is not closed', schema: { type: 'string' as const } },
  'Retry-After': { description: 'Seconds; while the circuit is not closed', schema: { type: 'integer' as const } },
};

const DEFAULT_NAME_PREFIX = 'svc';

@ApiTags('provisioning')
@Controller('provision')
export class ProvisioningController {
  constructor(
    private readonly starter: EngineStarter,
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
  ) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  @UseGuards(BearerGuard)
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Starts a container that is no engine: managed and listed by label, never leased or probed, not counted by MAX_REPLICAS',
  })
  @ApiBody({ type: ProvisionRequest, required: false })
  @ApiOkResponse({ type: ProvisionResponse, headers: LIMIT_HEADERS })
  @ApiServiceUnavailableResponse({ type: ProvisioningRefusal, headers: REFUSAL_HEADERS })
  @ApiInternalServerErrorResponse({ type: ProvisioningRefusal, headers: REFUSAL_HEADERS })
  @ApiNotImplementedResponse({ description: 'Engines run as processes here, and nothing runs containers' })
  @ApiBadRequestResponse()
  @ApiUnauthorizedResponse()
  async container(@Body(LENIENT) body: ProvisionRequest): Promise<ProvisionResponse> {
    if (this.runtime.name !== 'docker')
      throw new NotImplementedException('this orchestrator runs engines as processes: containers need ENGINE_RUNTIME=docker');
    // Some clients write null for what they do not ask for.
    const { id, name } = await this.starter.startContainer({
      image: body.image ?? undefined,
      env: body.env ?? {},
      labels: body.labels ?? {},
      ports: body.ports ?? {},
      namePrefix: body.name_prefix ?? DEFAULT_NAME_PREFIX,
    });
    return { container_id: id, container_name: name };
  }

  @Post('acestream')
  @HttpCode(HttpStatus.OK)
  @UseGuards(BearerGuard)
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Starts an engine; answers when its container runs, before the engine inside answers' })
  @ApiBody({ type: ProvisionAcestreamRequest, required: false })
  @ApiOkResponse({ type: ProvisionAcestreamResponse, headers: LIMIT_HEADERS })
  @ApiServiceUnavailableResponse({ type: ProvisioningRefusal, headers: REFUSAL_HEADERS })
  @ApiInternalServerErrorResponse({ type: ProvisioningRefusal, headers: REFUSAL_HEADERS })
  @ApiBadRequestResponse()
  @ApiUnauthorizedResponse()
  async acestream(@Body(LENIENT) body: ProvisionAcestreamRequest): Promise<ProvisionAcestreamResponse> {
    // Some clients write null for what they do not ask for.
    const wanted = { image: body.image ?? undefined, labels: body.labels ?? undefined, env: body.env ?? undefined };
    const { id, name, port, ports } = await this.starter.start({ ...wanted, hostPort: body.host_port ?? undefined }, 'api');
    return {
      container_id: id,
      container_name: name,
      host_http_port: port,
      container_http_port: ports.http,
      container_https_port: ports.https,
    };
  }
}
