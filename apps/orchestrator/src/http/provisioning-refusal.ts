import { ProvisioningBlocked } from '@acexy/contracts';
import { ApiProperty } from '@nestjs/swagger';

/** Body of a refused provision; existing clients read `detail`. */
export class ProvisioningRefusal {
  @ApiProperty({ type: 'integer', example: 503 })
  statusCode!: number;

  @ApiProperty({ example: 'Service Unavailable' })
  error!: string;

  @ApiProperty({ example: 'all 20 engines of MAX_REPLICAS exist already' })
  message!: string;

  @ApiProperty({ type: () => ProvisioningBlocked })
  detail!: ProvisioningBlocked;
}
