import { Log } from '@acexy/service-kit';
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock, WakeableLoop } from '@acexy/service-kit/primitives';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { ENGINE_RUNTIME, type EngineRuntime, type NetworkOwner } from '../runtime/engine-runtime.js';
import { VpnSettings } from './vpn-settings.js';
import { ReachabilityProber, networkOf } from './reachability-probes.js';
import { GluetunClient, GluetunError } from './gluetun-client.js';
import { type ControlWord, reportedStatus } from './reported-status.policy.js';
import type { Tunnel } from './tunnel.js';
import { look, type TunnelEvent } from './tunnel.policy.js';
import { VpnMetrics } from './vpn-metrics.js';
import { VpnService } from './vpn.service.js';

/** Docker's events of one restart come within a second. */
const GAP_MS = 200;
/** The next look where something is in doubt or about to change. */
const SOON_MS = 1_000;
/** One call to the control server, and one question to an engine. */
const CALL_LIMIT_MS = 2_000;
/** An outage shorter than this is a flap, after which everything goes on as it was. */
const FLAP_MS = 20_000;
/** Gluetun has its forwarded port some seconds after the tunnel; where there is none so long after, it forwards none. */
const PORT_SOON_MS = 60_000;

/** Looks at every VPN again and again, and at once when Docker tells of it: the container, its control server, the engines behind it. */
@Injectable()
export class VpnWatcher implements OnModuleInit, OnModuleDestroy {
  private readonly loop: WakeableLoop;
  private readonly log: Log;
  private readonly witnesses = new ReachabilityProber(CALL_LIMIT_MS);
  private readonly clients = new Map<string, { host: string; client: GluetunClient }>();
  private readonly changeListeners = new Set<() => void>();
  private readonly lookListeners = new Set<() => void>();
  private readonly settled: Promise<void>;
  private markSettled!: () => void;
  private unwatch: (() => Promise<void>) | undefined;
  private unsubscribe: (() => void) | undefined;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly vpn: VpnService,
    private readonly registry: EngineRegistry,
    private readonly settings: VpnSettings,
    private readonly clock: Clock,
    private readonly metrics: VpnMetrics,
    log: Log,
  ) {
    this.log = log.child('vpn');
    this.settled = new Promise((resolve) => (this.markSettled = resolve));
    this.loop = new WakeableLoop({
      name: 'VPN watch',
      intervalMs: settings.gluetunCheckIntervalMs,
      gapMs: GAP_MS,
      round: (signal) => this.round(signal),
      log: this.log,
    });
  }

  onModuleInit(): void {
    if (!this.vpn.enabled) return this.markSettled();
    const names = this.vpn.tunnels.map(({ name }) => name);
    this.unwatch = this.runtime.networkOwners?.watch(names, () => this.loop.wake());
    // An engine that has just answered is a witness, and may be the one that has the forwarded port.
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type === 'added') this.witnesses.forget(engine.id);
      if (type === 'added' || type === 'ready' || type === 'gone') this.loop.wake();
    });
    this.loop.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.unsubscribe?.();
    await Promise.all([this.loop.stop(), this.unwatch?.()]);
    this.markSettled();
  }

  /** Resolves when a VPN is connected for the first time, or VPN_START_TIMEOUT_S is over; at once where there is none. */
  async firstConnected(): Promise<void> {
    if (!this.vpn.enabled) return;
    let limit: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, this.settings.vpnStartTimeoutMs);
    });
    await Promise.race([this.settled, over]);
    clearTimeout(limit);
  }

  /** Calls back after a look that changed whether or where engines can be started, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.changeListeners.add(listener);
    return () => this.changeListeners.delete(listener);
  }

  /** Calls back after every look. */
  onLook(listener: () => void): () => void {
    this.lookListeners.add(listener);
    return () => this.lookListeners.delete(listener);
  }

  /** Since when an engine whose VPN is up has had no network, monotonic milliseconds; null where that is not so, or not certain yet. */
  aloneSince(engineId: string): number | null {
    return this.witnesses.cutOffSince(engineId);
  }

  /** Has all VPNs looked at now. */
  wake(): void {
    this.loop.wake();
  }

  private async round(signal: AbortSignal): Promise<number | void> {
    const before = this.fingerprint();
    await Promise.all(this.vpn.tunnels.map((tunnel) => this.lookAt(tunnel, signal)));
    this.witnesses.keepOnly(new Set(this.registry.all().map(({ id }) => id)));
    if (this.vpn.connected) this.markSettled();
    for (const listener of this.lookListeners) listener();
    if (this.fingerprint() !== before) for (const listener of this.changeListeners) listener();
    if (this.vpn.tunnels.some((tunnel) => this.isUnsettled(tunnel))) return SOON_MS;
  }

  private async lookAt(tunnel: Tunnel, signal: AbortSignal): Promise<void> {
    tunnel.owner = await this.ownerOf(tunnel);
    const { owner } = tunnel;
    const asksControl = owner === undefined || owner?.running === true;
    const present = this.vpn.enginesBehind(tunnel).filter((engine) => this.canTestify(engine, owner));
    const askedAt = this.clock.now();
    const [control, witnesses] = await Promise.all([
      asksControl ? this.askControl(tunnel, signal) : null,
      this.witnesses.ask(present, askedAt, signal),
    ]);
    tunnel.own = reportedStatus(owner, control);
    const life = owner ? `${owner.id}@${owner.startedAt}` : null;
    const { state, events } = look(tunnel.state, { at: this.clock.now(), own: tunnel.own, life, witnesses });
    if (state.phase !== tunnel.state.phase) this.announce(tunnel, state.phase, state.reason);
    tunnel.state = state;
    tunnel.lastCheck = this.clock.wallTime();
    for (const event of events) this.take(tunnel, event);
    if (tunnel.connected) await this.refreshPort(tunnel, signal);
  }

  private canTestify(engine: Engine, owner: NetworkOwner | null | undefined): boolean {
    return engine.lifecycle !== 'starting' && networkOf(engine, owner) === 'present';
  }

  /** Docker away: what was last known of the container is not known any more, and says nothing. */
  private async ownerOf({ name }: Tunnel): Promise<NetworkOwner | null | undefined> {
    try {
      return await this.runtime.networkOwners?.inspect(name);
    } catch (error) {
      this.log.warn('the VPN container cannot be looked at', { vpn: name, reason: (error as Error).message });
      return undefined;
    }
  }

  private async askControl(tunnel: Tunnel, signal: AbortSignal): Promise<ControlWord | null> {
    try {
      const vpnStatus = await this.clientOf(tunnel).vpnStatus(signal);
      tunnel.trouble = null;
      return { vpnStatus };
    } catch (error) {
      this.noteTrouble(tunnel, error);
      return null;
    }
  }

  /** Asked anew while there is none, after every reconnection, and when what is known has grown old. */
  private async refreshPort(tunnel: Tunnel, signal: AbortSignal): Promise<void> {
    const now = this.clock.now();
    const known = tunnel.forwardedPort !== null && tunnel.portAskedAt !== null;
    if (known && now - (tunnel.portAskedAt ?? 0) < this.settings.gluetunPortTtlMs) return;
    const client = this.clientOf(tunnel);
    try {
      const [port, publicIp] = await Promise.all([client.forwardedPort(signal), this.publicIp(client, signal)]);
      if (port !== tunnel.forwardedPort) this.log.info('forwarded port', { vpn: tunnel.name, port, before: tunnel.forwardedPort });
      tunnel.forwardedPort = port;
      tunnel.portAskedAt = now;
      tunnel.publicIp = publicIp;
    } catch (error) {
      this.noteTrouble(tunnel, error);
    }
  }

  /** For people only: a role need not allow it. */
  private async publicIp(client: GluetunClient, signal: AbortSignal): Promise<string | null> {
    try {
      return await client.publicIp(signal);
    } catch (error) {
      if (!(error instanceof GluetunError)) throw error;
      return null;
    }
  }

  private take(tunnel: Tunnel, event: TunnelEvent): void {
    this.metrics.transition(tunnel.name, event.type);
    switch (event.type) {
      case 'connected':
        if (event.outageMs !== null && event.outageMs >= FLAP_MS && this.settings.restartEnginesOnReconnect)
          tunnel.renewBefore = this.clock.wallTime() - event.outageMs;
        // One engine has proven it; the others find their network within seconds, and none need be started in their place.
        for (const { id } of this.vpn.enginesBehind(tunnel)) this.witnesses.forget(id);
        break;
      case 'reborn':
      case 'disconnected':
        // Whatever port it had, it may have another when it is back.
        tunnel.forwardedPort = null;
        tunnel.portAskedAt = null;
        break;
      default:
        event satisfies never;
    }
  }

  private announce(tunnel: Tunnel, phase: string, reason: string): void {
    const bad = phase === 'down' || phase === 'missing' || phase === 'stopped';
    this.log[bad ? 'error' : 'info'](`VPN ${phase}`, { vpn: tunnel.name, before: tunnel.state.phase, reason });
  }

  private noteTrouble(tunnel: Tunnel, error: unknown): void {
    if (!(error instanceof GluetunError)) throw error;
    // What does not answer while it starts or is gone is told by the state already.
    if (error.message !== tunnel.trouble) this.log[tunnel.connected ? 'warn' : 'debug'](error.message, { vpn: tunnel.name });
    tunnel.trouble = error.message;
  }

  /** Its address changes when the container is made anew; while Docker is away the last one that was known serves. */
  private clientOf({ name, owner }: Tunnel): GluetunClient {
    const known = this.clients.get(name);
    const host = owner?.host ?? known?.host ?? name;
    if (known?.host === host) return known.client;
    const { gluetunApiPort: port, gluetunApiKey, gluetunApiUsername, gluetunApiPassword } = this.settings;
    const credentials = { apiKey: gluetunApiKey, username: gluetunApiUsername, password: gluetunApiPassword };
    const client = new GluetunClient({ host, port, credentials, timeoutMs: CALL_LIMIT_MS });
    this.clients.set(name, { host, client });
    return client;
  }

  private isUnsettled(tunnel: Tunnel): boolean {
    switch (tunnel.state.phase) {
      case 'doubtful':
      case 'starting':
      case 'unknown':
        return true;
      case 'up':
        return tunnel.forwardedPort === null && this.clock.now() - tunnel.state.since < PORT_SOON_MS;
      case 'down':
      case 'missing':
      case 'stopped':
        return false;
      default:
        return tunnel.state.phase satisfies never;
    }
  }

  private fingerprint(): string {
    return JSON.stringify(
      this.vpn.tunnels.map(({ state, forwardedPort, renewBefore }) => [state.phase, state.life, forwardedPort, renewBefore]),
    );
  }
}
