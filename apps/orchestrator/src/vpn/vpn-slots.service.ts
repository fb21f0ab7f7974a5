import type { PortRange } from '@acexy/service-kit';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { EngineRegistry } from '../engines/engine-registry.js';
import { VPN_LABEL, VPN_PORT_LABEL } from '../runtime/engine-labels.js';
import { PortSettings } from '../engines/port-settings.js';
import { VpnSettings } from './vpn-settings.js';
import { chooseSlot, givesPort, NoVpnSlotError, portsOf, type TunnelForSlot } from './vpn-slots.policy.js';
import type { Tunnel } from './tunnel.js';
import { mayStart } from './tunnel.policy.js';
import { VpnService } from './vpn.service.js';

/** Where a new engine is started: whose network it joins, and which ports are its. */
export interface VpnSlot {
  vpn: string;
  httpPorts: PortRange;
  /** The forwarded port, for one engine at a time; null for the others. */
  p2pPort: number | null;
  labels: Readonly<Record<string, string>>;
}

/** Gives each new engine its place behind a VPN, and remembers those on their way until the registry has them. */
@Injectable()
export class VpnSlots implements OnModuleInit, OnModuleDestroy {
  /** By the name of the engine. */
  private readonly given = new Map<string, VpnSlot>();
  /** By the name of the VPN: when the last engine was tried behind it while it was in doubt, monotonic milliseconds. */
  private readonly trials = new Map<string, number>();
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly vpn: VpnService,
    private readonly registry: EngineRegistry,
    private readonly settings: VpnSettings,
    private readonly ports: PortSettings,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type === 'added') this.given.delete(engine.instance.name);
    });
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }

  /** Why no engine can be started behind any VPN, or null; always null without a VPN. */
  closed(): string | null {
    if (!this.vpn.enabled || this.vpn.tunnels.some((tunnel) => this.isOpen(tunnel))) return null;
    return this.vpn.tunnels.map(({ name, state }) => `${name}: ${state.reason}`).join('; ');
  }

  /**
   * A seat for the engine of this name, until `release` or until the registry knows it; null without a VPN.
   * @throws NoVpnSlotError
   */
  take(engineName: string): VpnSlot | null {
    if (!this.vpn.enabled) return null;
    const chosen = chooseSlot(
      this.vpn.tunnels.map((tunnel) => this.describe(tunnel)),
      this.settings.maxActiveReplicas,
    );
    if (!chosen)
      throw new NoVpnSlotError(this.closed() ?? `every VPN carries ${this.settings.maxActiveReplicas} engines (MAX_ACTIVE_REPLICAS)`);
    if (chosen.trial) this.trials.set(chosen.name, this.clock.now());
    const p2pPort = givesPort(chosen) ? chosen.forwardedPort : null;
    const seat: VpnSlot = {
      vpn: chosen.name,
      httpPorts: portsOf(chosen.index, this.settings.maxActiveReplicas, this.ports.portRangeHost),
      p2pPort,
      labels: { [VPN_LABEL]: chosen.name, ...(p2pPort !== null && { [VPN_PORT_LABEL]: String(p2pPort) }) },
    };
    this.given.set(engineName, seat);
    return seat;
  }

  /** The start has failed. */
  release(engineName: string): void {
    this.given.delete(engineName);
  }

  private describe(tunnel: Tunnel): TunnelForSlot {
    const { name, index, forwardedPort } = tunnel;
    const behind = this.vpn.enginesBehind(tunnel);
    const onTheirWay = [...this.given.values()].filter(({ vpn }) => vpn === name);
    return {
      name,
      index,
      open: this.isOpen(tunnel),
      trial: tunnel.state.phase !== 'up',
      engines: behind.length + onTheirWay.length,
      forwardedPort,
      portTaken:
        behind.some(({ instance }) => instance.ports.p2p === forwardedPort) || onTheirWay.some(({ p2pPort }) => p2pPort === forwardedPort),
    };
  }

  private isOpen({ name, state, own }: Tunnel): boolean {
    return mayStart(state, own, this.clock.now(), this.trials.get(name) ?? null);
  }
}
