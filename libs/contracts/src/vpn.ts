import { ApiProperty } from '@acexy/service-kit/openapi';
import { VPN_HEALTHS, type VpnHealth } from './vocabulary.js';

/** State of one VPN container. Times are ISO 8601 in UTC or null. */
export class VpnContainerStatus {
  @ApiProperty({
    description: "Docker's status of the container (running, exited, …), or not_found, error or disabled",
    example: 'running',
  })
  status!: string;

  @ApiProperty({ type: String, nullable: true, example: 'gluetun' })
  container_name!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Same as container_name: some clients read this field', example: 'gluetun' })
  container!: string | null;

  @ApiProperty({ enum: VPN_HEALTHS, description: "Result of the container's own health check" })
  health!: VpnHealth;

  @ApiProperty({
    description: 'Whether the tunnel is up: decided by the engines behind it or, without engines, by the health check of the container',
  })
  connected!: boolean;

  @ApiProperty({ type: 'integer', nullable: true, description: 'The first forwarded port', example: 51234 })
  forwarded_port!: number | null;

  @ApiProperty({ type: 'integer', isArray: true, description: 'All forwarded ports; each is used by one engine', example: [51234] })
  forwarded_ports!: number[];

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_check!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_check_at!: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Why the VPN counts as connected or not',
    example: '3 of 3 engines reach the Internet',
  })
  reason!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Public IP address, when Gluetun reports it', example: '203.0.113.7' })
  public_ip!: string | null;

  @ApiProperty({ type: 'integer', description: 'Number of engines behind the VPN' })
  engines!: number;
}

/** `GET /vpn/status` (wire API 1.5). With several VPNs, `vpns` lists each, and the other fields describe the first that is connected. */
export class VpnStatus extends VpnContainerStatus {
  @ApiProperty()
  enabled!: boolean;

  @ApiProperty({ type: [VpnContainerStatus] })
  vpns!: VpnContainerStatus[];
}
