import { VPN_HEALTHS } from '@acexy/contracts';
import { counterOf, readGauge } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import type { TunnelEvent } from './tunnel.policy.js';
import { VpnService } from './vpn.service.js';

const TRANSITIONS = ['connected', 'disconnected', 'restarted'] as const satisfies readonly TunnelEvent['type'][];
const OUTCOMES = ['restarted', 'failed'] as const;

/** Metrics of the VPNs; no series without a VPN. */
@Injectable()
export class VpnMetrics {
  private readonly transitions;
  private readonly rejoins;

  constructor(private readonly vpn: VpnService) {
    const { tunnels } = vpn;
    const names = tunnels.map(({ name }) => name);
    this.transitions = counterOf('orch_vpn_transitions_total', 'Transitions of a VPN: connected, disconnected, container restarted', {
      vpn: names,
      to: TRANSITIONS,
    });
    this.rejoins = counterOf(
      'orch_vpn_rejoins_total',
      'Engines restarted to rejoin the network of a restarted VPN container; engines that fail are replaced',
      { vpn: names, outcome: OUTCOMES },
    );
    readGauge('orch_vpn_connected', '1 while the tunnel is up', ['vpn'], (set) => {
      for (const { name, connected } of tunnels) set(connected ? 1 : 0, { vpn: name });
    });
    readGauge('orch_vpn_health', '1 for the health that the VPN container reports', ['vpn', 'health'], (set) => {
      for (const tunnel of tunnels) for (const health of VPN_HEALTHS) set(health === tunnel.health ? 1 : 0, { vpn: tunnel.name, health });
    });
    readGauge('orch_vpn_forwarded_port', 'First forwarded port of the VPN; 0 if there is none', ['vpn'], (set) => {
      for (const { name, connected, forwardedPorts } of tunnels) set((connected && forwardedPorts.at(0)) || 0, { vpn: name });
    });
    readGauge('orch_vpn_engines', 'Engines behind the VPN, by whether they use a forwarded port', ['vpn', 'port'], (set) => {
      for (const tunnel of tunnels) {
        const behind = this.vpn.enginesBehind(tunnel);
        const forwarded = behind.filter((engine) => engine.forwarded).length;
        set(forwarded, { vpn: tunnel.name, port: 'forwarded' });
        set(behind.length - forwarded, { vpn: tunnel.name, port: 'other' });
      }
    });
  }

  transition(vpn: string, to: TunnelEvent['type']): void {
    this.transitions.inc({ vpn, to });
  }

  rejoined(vpn: string, outcome: (typeof OUTCOMES)[number]): void {
    this.rejoins.inc({ vpn, outcome });
  }
}
