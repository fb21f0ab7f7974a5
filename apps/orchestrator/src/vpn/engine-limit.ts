import type { PoolSettings } from '../engines/pool-settings.js';
import type { VpnSettings } from './vpn-settings.js';

/** Maximum number of engines: MAX_REPLICAS, and behind VPNs at most MAX_ACTIVE_REPLICAS for each VPN. */
export class EngineLimit {
  readonly engines: number;

  constructor({ maxReplicas }: PoolSettings, { vpnContainers, maxActiveReplicas }: VpnSettings) {
    this.engines = vpnContainers.length === 0 ? maxReplicas : Math.min(maxReplicas, vpnContainers.length * maxActiveReplicas);
  }
}
