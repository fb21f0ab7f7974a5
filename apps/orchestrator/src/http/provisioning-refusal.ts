import { ProvisioningBlocked } from '@acexy/contracts';
import { ApiProperty } from '@nestjs/swagger';

/** Body of a refused provision; existing clients read `detail`. */
export class ProvisioningRefusal {
  @ApiProperty({ type: 'integer', example: 503 })
  statusCode!: number;

  @ApiProperty({ example: 'Service Unavailable' })
  error!: string;

  @ApiProperty({ example: 'the limit MAX_REPLICAS=20 is reached: raise it, or wait for a free engine' })
  message!: string;

  @ApiProperty({ type: () => ProvisioningBlocked })
  detail!: ProvisioningBlocked;
}
