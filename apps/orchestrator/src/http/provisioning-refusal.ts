import { ProvisioningBlocked } from '@acexy/contracts';
import { ApiProperty } from '@acexy/service-kit/openapi';

/** Body of a refused provision; existing clients read `detail`. */
export class ProvisioningRefusal {
  @ApiProperty({ type: 'integer', example: 503 })
  statusCode!: number;

  @ApiProperty({ example: 'Service Unavailable' })
  error!: string;

  @ApiProperty({
    example: 'the limit of 20 engines is reached: raise MAX_REPLICAS (behind a VPN also MAX_ACTIVE_REPLICAS), or wait for a free engine',
  })
  message!: string;

  @ApiProperty({ type: () => ProvisioningBlocked })
  detail!: ProvisioningBlocked;
}
