import { OPERATION_TYPES, type OperationType } from '@acexy/contracts';
import { BadRequestException, Controller, HttpCode, HttpStatus, Post, Query } from '@nestjs/common';
import { ApiBadRequestResponse, ApiOkResponse, ApiOperation, ApiProperty, ApiQuery, ApiTags } from '@acexy/service-kit/openapi';
import { Protected } from '../http/protected.js';
import { ProvisioningService } from './provisioning.service.js';

export class CircuitReset {
  @ApiProperty({ example: 'circuit breaker reset: general, replacement' })
  message!: string;
}

@ApiTags('health')
@Controller('health/circuit-breaker')
export class CircuitBreakerController {
  constructor(private readonly provisioning: ProvisioningService) {}

  @Post('reset')
  @HttpCode(HttpStatus.OK)
  @Protected()
  @ApiOperation({ operationId: 'CircuitsController_reset', summary: 'Closes one circuit breaker; without operation_type it closes both' })
  @ApiQuery({ name: 'operation_type', required: false, enum: OPERATION_TYPES })
  @ApiOkResponse({ type: CircuitReset })
  @ApiBadRequestResponse()
  reset(@Query('operation_type') requested?: unknown): CircuitReset {
    const operations = OPERATION_TYPES.filter((operation: OperationType) => requested === undefined || operation === requested);
    if (operations.length === 0) throw new BadRequestException(`operation_type must be one of ${OPERATION_TYPES.join(', ')}`);
    for (const operation of operations) this.provisioning.breakers.reset(operation);
    return { message: `circuit breaker reset: ${operations.join(', ')}` };
  }
}
