import { ProvisioningBlocked } from '@acexy/contracts';
import { ApiProperty } from '@nestjs/swagger';

/** Body of a refused provision; existing clients read `detail`. */
export class ProvisioningRefusal {
  @ApiProperty({ type: 'integer', example: 503 })
  statusCode!: number;

  @ApiProperty({ example: 'Service Unavailable' })
  error!: string;

  @ApiProperty({ example: 'MAX_REPLICAS is 20 and that many engines exist: raise MAX_REPLICAS or wait' })
  message!: string;

  @ApiProperty({ type: () => ProvisioningBlocked })
  detail!: ProvisioningBlocked;
}
