import { ApiProperty } from '@nestjs/swagger';

export const VPN_HEALTHS = ['healthy', 'unhealthy', 'starting', 'unknown'] as const;
export type VpnHealth = (typeof VPN_HEALTHS)[number];

/** One VPN container, as far as it is known. Times are ISO 8601 in UTC or null. */
export class VpnContainerStatus {
  @ApiProperty({ description: "Docker's word for the container (running, exited, …), not_found, error, or disabled", example: 'running' })
  status!: string;

  @ApiProperty({ type: String, nullable: true, example: 'gluetun' })
  container_name!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'The same; existing clients read either', example: 'gluetun' })
  container!: string | null;

  @ApiProperty({ enum: VPN_HEALTHS, description: "The container's own health check" })
  health!: VpnHealth;

  @ApiProperty({ description: 'Whether the tunnel is up: what its engines say decides, and its own health where there are none' })
  connected!: boolean;

  @ApiProperty({ type: 'integer', nullable: true, example: 51234 })
  forwarded_port!: number | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_check!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_check_at!: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Why it counts as connected or not',
    example: '3 of 3 engines reach the Internet',
  })
  reason!: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The address that the Internet sees, where Gluetun tells',
    example: '203.0.113.7',
  })
  public_ip!: string | null;

  @ApiProperty({ type: 'integer', description: 'Engines behind it' })
  engines!: number;
}

/** `GET /vpn/status` (wire API, 1.5). With several VPNs the fields tell of the first that is connected, and `vpns` of each. */
export class VpnStatus extends VpnContainerStatus {
  @ApiProperty()
  enabled!: boolean;

  @ApiProperty({ type: [VpnContainerStatus] })
  vpns!: VpnContainerStatus[];
}
