import { OPERATION_TYPES, type OperationType } from '@acexy/contracts';
import { BearerGuard } from '@acexy/service-kit';
import { BadRequestException, Controller, HttpCode, HttpStatus, Post, Query, UseGuards } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiQuery,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { ProvisioningService } from './provisioning.service.js';

export class CircuitReset {
  @ApiProperty({ example: 'circuit breaker reset: general, replacement' })
  message!: string;
}

@ApiTags('health')
@Controller('health/circuit-breaker')
export class CircuitsController {
  constructor(private readonly provisioning: ProvisioningService) {}

  @Post('reset')
  @HttpCode(HttpStatus.OK)
  @UseGuards(BearerGuard)
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Closes a circuit breaker by hand; both without operation_type' })
  @ApiQuery({ name: 'operation_type', required: false, enum: OPERATION_TYPES })
  @ApiOkResponse({ type: CircuitReset })
  @ApiBadRequestResponse()
  @ApiUnauthorizedResponse()
  reset(@Query('operation_type') wanted?: unknown): CircuitReset {
    if (wanted !== undefined && !isOperation(wanted))
      throw new BadRequestException(`operation_type must be one of ${OPERATION_TYPES.join(', ')}`);
    const operations = wanted === undefined ? OPERATION_TYPES : [wanted];
    for (const operation of operations) this.provisioning.circuits.reset(operation);
    return { message: `circuit breaker reset: ${operations.join(', ')}` };
  }
}

function isOperation(value: unknown): value is OperationType {
  return OPERATION_TYPES.some((operation) => operation === value);
}
