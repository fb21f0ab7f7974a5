import type { PortRange } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { EngineRegistry } from '../engines/engine-registry.js';
import { VPN_LABEL, VPN_PORT_LABEL } from '../runtime/engine-labels.js';
import { PortSettings } from '../engines/port-settings.js';
import { VpnSettings } from './vpn-settings.js';
import { chooseSlot, NoVpnSlotError, portForNext, portsOf, type TunnelForSlot } from './vpn-slots.policy.js';
import type { Tunnel } from './tunnel.js';
import { mayStart } from './tunnel.policy.js';
import { VpnService } from './vpn.service.js';

/** Where a new engine starts: whose network it joins, and its ports. */
export interface VpnSlot {
  vpn: string;
  httpPorts: PortRange;
  /** A forwarded port that no other engine has; null if there is none. */
  p2pPort: number | null;
  labels: Readonly<Record<string, string>>;
}

/** Assigns each new engine to a VPN, and counts starting engines until the registry knows them. */
@Injectable()
export class VpnSlots {
  /** By engine name. */
  private readonly pending = new Map<string, VpnSlot>();
  /** Time of the last canary, by VPN name, monotonic milliseconds. */
  private readonly canaries = new Map<string, number>();

  constructor(
    private readonly vpn: VpnService,
    registry: EngineRegistry,
    private readonly settings: VpnSettings,
    private readonly ports: PortSettings,
    private readonly clock: Clock,
  ) {
    registry.onChange(({ type, engine }) => {
      if (type === 'added') this.pending.delete(engine.instance.name);
    });
  }

  /** Why no engine can be started behind any VPN; null if one can, and always without a VPN. */
  closed(): string | null {
    if (!this.vpn.enabled || this.vpn.tunnels.some((tunnel) => this.isOpen(tunnel))) return null;
    return this.vpn.tunnels.map(({ name, state }) => `${name}: ${state.reason}`).join('; ');
  }

  /**
   * Assigns a slot to the engine with this name, until `release` or until the registry knows the engine. Null without a VPN.
   * @throws NoVpnSlotError
   */
  take(engineName: string): VpnSlot | null {
    if (!this.vpn.enabled) return null;
    const chosen = chooseSlot(
      this.vpn.tunnels.map((tunnel) => this.describe(tunnel)),
      this.settings.maxActiveReplicas,
    );
    if (!chosen)
      throw new NoVpnSlotError(
        this.closed() ?? `every VPN has ${this.settings.maxActiveReplicas} engines (MAX_ACTIVE_REPLICAS): raise it, or add a VPN`,
      );
    if (chosen.canary) this.canaries.set(chosen.name, this.clock.now());
    const p2pPort = portForNext(chosen);
    const slot: VpnSlot = {
      vpn: chosen.name,
      httpPorts: portsOf(chosen.index, this.settings.maxActiveReplicas, this.ports.portRangeHost),
      p2pPort,
      labels: { [VPN_LABEL]: chosen.name, ...(p2pPort !== null && { [VPN_PORT_LABEL]: String(p2pPort) }) },
    };
    this.pending.set(engineName, slot);
    return slot;
  }

  /** Releases the slot after a failed start. */
  release(engineName: string): void {
    this.pending.delete(engineName);
  }

  private describe(tunnel: Tunnel): TunnelForSlot {
    const { name, index, forwardedPorts } = tunnel;
    const behind = this.vpn.enginesBehind(tunnel);
    const starting = [...this.pending.values()].filter(({ vpn }) => vpn === name);
    const taken = new Set([...behind.map(({ instance }) => instance.ports.p2p), ...starting.map(({ p2pPort }) => p2pPort)]);
    return {
      name,
      index,
      open: this.isOpen(tunnel),
      canary: tunnel.state.phase !== 'up',
      engines: behind.length + starting.length,
      freePort: forwardedPorts.find((port) => !taken.has(port)) ?? null,
    };
  }

  private isOpen({ name, state, reported }: Tunnel): boolean {
    return mayStart(state, reported, this.clock.now(), this.canaries.get(name) ?? null);
  }
}
