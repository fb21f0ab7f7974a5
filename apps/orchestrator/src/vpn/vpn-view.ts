import type { VpnStatus } from '@acexy/contracts';

/** What clients see of the VPN that engines may stand behind. This service starts its engines without one. */
export class VpnView {
  status(): VpnStatus {
    return {
      enabled: false,
      status: 'disabled',
      container_name: null,
      container: null,
      health: 'unknown',
      connected: false,
      forwarded_port: null,
      last_check: null,
      last_check_at: null,
    };
  }
}
