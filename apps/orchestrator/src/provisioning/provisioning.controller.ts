import { ProvisionAcestreamRequest, ProvisionAcestreamResponse, ProvisionRequest, ProvisionResponse } from '@acexy/contracts';
import { Body, Controller, HttpCode, HttpStatus, Inject, NotImplementedException, Post, UseInterceptors } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBody,
  ApiInternalServerErrorResponse,
  ApiNotImplementedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@acexy/service-kit/openapi';
import { Protected } from '../http/protected.js';
import { ProvisioningRefusal } from '../http/provisioning-refusal.js';
import { LENIENT } from '../http/validation.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { ProvisioningHeaders } from './provisioning-headers.js';
import { ProvisioningService } from './provisioning.service.js';

const header = (type: 'integer' | 'string', description: string) => ({ description, schema: { type } });
/** On every answer to a provisioning call. */
const LIMIT_HEADERS = {
  'X-RateLimit-Provisioning-Limit': header('integer', 'Limit of simultaneous starts (MAX_CONCURRENT_PROVISIONS)'),
  'X-RateLimit-Provisioning-Remaining': header('integer', 'Number of starts that are still possible now'),
};
const REFUSAL_HEADERS = {
  ...LIMIT_HEADERS,
  'X-Circuit-State': header('string', 'State of the circuit breaker, while it is not closed'),
  'Retry-After': header('integer', 'Seconds until the next trial, while the circuit breaker is not closed'),
};

const DEFAULT_NAME_PREFIX = 'svc';

@ApiTags('provisioning')
@UseInterceptors(ProvisioningHeaders)
@Controller('provision')
export class ProvisioningController {
  constructor(
    private readonly provisioning: ProvisioningService,
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
  ) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  @Protected()
  @ApiOperation({
    summary: 'Starts a container that is not an engine. It is listed by label, but never leased, probed or counted for MAX_REPLICAS',
  })
  @ApiBody({ type: ProvisionRequest, required: false })
  @ApiOkResponse({ type: ProvisionResponse, headers: LIMIT_HEADERS })
  @ApiServiceUnavailableResponse({ type: ProvisioningRefusal, headers: REFUSAL_HEADERS })
  @ApiInternalServerErrorResponse({ type: ProvisioningRefusal, headers: REFUSAL_HEADERS })
  @ApiNotImplementedResponse({ description: 'Engines run as processes, so no container can be started' })
  @ApiBadRequestResponse()
  async container(@Body(LENIENT) body: ProvisionRequest): Promise<ProvisionResponse> {
    if (this.runtime.name !== 'docker')
      throw new NotImplementedException('ENGINE_RUNTIME is process, which runs no containers: set ENGINE_RUNTIME=docker');
    // Some clients send null instead of leaving a field out.
    const { id, name } = await this.provisioning.provisionContainer({
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
  @Protected()
  @ApiOperation({ summary: 'Starts an engine; answers when its container runs, before the API of the engine is ready' })
  @ApiBody({ type: ProvisionAcestreamRequest, required: false })
  @ApiOkResponse({ type: ProvisionAcestreamResponse, headers: LIMIT_HEADERS })
  @ApiServiceUnavailableResponse({ type: ProvisioningRefusal, headers: REFUSAL_HEADERS })
  @ApiInternalServerErrorResponse({ type: ProvisioningRefusal, headers: REFUSAL_HEADERS })
  @ApiBadRequestResponse()
  async acestream(@Body(LENIENT) body: ProvisionAcestreamRequest): Promise<ProvisionAcestreamResponse> {
    // Some clients send null instead of leaving a field out.
    const request = {
      image: body.image ?? undefined,
      labels: body.labels ?? undefined,
      env: body.env ?? undefined,
      hostPort: body.host_port ?? undefined,
    };
    const { id, name, port, ports } = await this.provisioning.provision(request, 'api');
    return {
      container_id: id,
      container_name: name,
      host_http_port: port,
      container_http_port: ports.http,
      container_https_port: ports.https,
    };
  }
}
