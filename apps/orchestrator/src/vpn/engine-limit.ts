import { Injectable } from '@nestjs/common';
import { PoolSettings } from '../engines/pool-settings.js';
import { VpnSettings } from './vpn-settings.js';

/** Maximum number of engines: MAX_REPLICAS, and behind VPNs at most MAX_ACTIVE_REPLICAS for each VPN. */
@Injectable()
export class EngineLimit {
  readonly engines: number;

  constructor({ maxReplicas }: PoolSettings, { vpnContainers, maxActiveReplicas }: VpnSettings) {
    this.engines = vpnContainers.length === 0 ? maxReplicas : Math.min(maxReplicas, vpnContainers.length * maxActiveReplicas);
  }
}
