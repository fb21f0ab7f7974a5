import type { VpnContainerStatus, VpnStatus } from '@acexy/contracts';
import { Injectable } from '@nestjs/common';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { VPN_LABEL } from '../runtime/engine-labels.js';
import { VpnSettings } from './vpn-settings.js';
import { Tunnel } from './tunnel.js';

const NO_VPN: VpnContainerStatus = {
  status: 'disabled',
  container_name: null,
  container: null,
  health: 'unknown',
  connected: false,
  forwarded_port: null,
  forwarded_ports: [],
  last_check: null,
  last_check_at: null,
  reason: null,
  public_ip: null,
  engines: 0,
};

/** The current state of the VPNs, kept by VpnWatcher. */
@Injectable()
export class VpnService {
  readonly tunnels: readonly Tunnel[];

  constructor(
    settings: VpnSettings,
    private readonly registry: EngineRegistry,
  ) {
    this.tunnels = settings.vpnContainers.map((name, index) => new Tunnel(name, index));
  }

  get enabled(): boolean {
    return this.tunnels.length > 0;
  }

  /** At least one tunnel is up. */
  get connected(): boolean {
    return this.tunnels.some((tunnel) => tunnel.connected);
  }

  /** Reply of `GET /vpn/status`; the summary is that of the first connected tunnel, else of the first tunnel. */
  status(): VpnStatus {
    const vpns = this.tunnels.map((tunnel) => tunnel.describe(this.enginesBehind(tunnel).length));
    return { enabled: this.enabled, ...(vpns.find(({ connected }) => connected) ?? vpns.at(0) ?? NO_VPN), vpns };
  }

  /** The engines in a tunnel's network, or in the network of an earlier container with its name. */
  enginesBehind(tunnel: Tunnel): Engine[] {
    return this.registry.all().filter((engine) => this.tunnelOf(engine) === tunnel);
  }

  /** The tunnel of an engine, or null. */
  tunnelOf({ instance }: Engine): Tunnel | null {
    const name = instance.labels[VPN_LABEL];
    return this.tunnels.find((tunnel) => tunnel.name === name) ?? null;
  }
}
