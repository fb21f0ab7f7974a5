import { Log } from '@acexy/service-kit';
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock, ListenerSet, WakeableLoop } from '@acexy/service-kit/primitives';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { ENGINE_RUNTIME, type EngineRuntime, type NetworkOwner } from '../runtime/engine-runtime.js';
import { VpnSettings } from './vpn-settings.js';
import { ReachabilityProber, networkOf } from './reachability-probes.js';
import { GluetunClient, GluetunError } from './gluetun-client.js';
import { type ControlReply, reportedStatus } from './reported-status.policy.js';
import type { Tunnel } from './tunnel.js';
import { observe, type TunnelEvent } from './tunnel.policy.js';
import { VpnMetrics } from './vpn-metrics.js';
import { VpnService } from './vpn.service.js';

/** Minimum time between two rounds: Docker's events of one restart arrive within a second. */
const GAP_MS = 200;
/** Time until the next round while a tunnel is suspect or about to change. */
const SOON_MS = 1_000;
/** Timeout of one call to the control server, and of one probe of an engine. */
const CALL_LIMIT_MS = 2_000;
/** A shorter outage needs no replacement of engines. */
const FLAP_MS = 20_000;
/** Gluetun knows its forwarded port some seconds after the tunnel is up. Without one after this time it forwards none. */
const PORT_SOON_MS = 60_000;

/** Observes every VPN periodically, and at once after a Docker event: the container, its control server, and the engines behind it. */
@Injectable()
export class VpnWatcher implements OnModuleInit, OnModuleDestroy {
  private readonly loop: WakeableLoop;
  private readonly log: Log;
  private readonly prober = new ReachabilityProber(CALL_LIMIT_MS);
  private readonly clients = new Map<string, { host: string; client: GluetunClient }>();
  private readonly changes = new ListenerSet();
  private readonly rounds = new ListenerSet();
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
    // An engine that has just become ready can be probed, and may have the forwarded port.
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type === 'added') this.prober.reset(engine.id);
      if (type === 'added' || type === 'ready' || type === 'gone') this.loop.wake();
    });
    this.loop.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.unsubscribe?.();
    await Promise.all([this.loop.stop(), this.unwatch?.()]);
    this.markSettled();
  }

  /** Resolves when a VPN is connected for the first time, after VPN_START_TIMEOUT_S at the latest, or at once without a VPN. */
  async firstConnected(): Promise<void> {
    if (!this.vpn.enabled) return;
    let limit: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, this.settings.vpnStartTimeoutMs);
    });
    await Promise.race([this.settled, over]);
    clearTimeout(limit);
  }

  /** Calls the listener after each round that changed whether or where engines can be started. */
  onChange(listener: () => void): () => void {
    return this.changes.subscribe(listener);
  }

  /** Calls the listener after each round. */
  onRound(listener: () => void): () => void {
    return this.rounds.subscribe(listener);
  }

  /** Time since which an engine whose VPN is up has had no network, monotonic milliseconds; null if it has one, or if that is not certain yet. */
  unreachableSince(engineId: string): number | null {
    return this.prober.cutOffSince(engineId);
  }

  /** Observes all VPNs now. */
  wake(): void {
    this.loop.wake();
  }

  private async round(signal: AbortSignal): Promise<number | void> {
    const before = this.fingerprint();
    await Promise.all(this.vpn.tunnels.map((tunnel) => this.check(tunnel, signal)));
    this.prober.keepOnly(new Set(this.registry.all().map(({ id }) => id)));
    if (this.vpn.connected) this.markSettled();
    this.rounds.emit();
    if (this.fingerprint() !== before) this.changes.emit();
    if (this.vpn.tunnels.some((tunnel) => this.isUnsettled(tunnel))) return SOON_MS;
  }

  private async check(tunnel: Tunnel, signal: AbortSignal): Promise<void> {
    tunnel.owner = await this.ownerOf(tunnel);
    const { owner } = tunnel;
    const hasControlServer = owner === undefined || owner?.running === true;
    const present = this.vpn.enginesBehind(tunnel).filter((engine) => this.canProbe(engine, owner));
    const now = this.clock.now();
    const [control, probes] = await Promise.all([
      hasControlServer ? this.askControl(tunnel, signal) : null,
      this.prober.ask(present, now, signal),
    ]);
    tunnel.own = reportedStatus(owner, control);
    const generation = owner ? `${owner.id}@${owner.startedAt}` : null;
    const { state, events } = observe(tunnel.state, { at: this.clock.now(), own: tunnel.own, generation, probes });
    if (state.phase !== tunnel.state.phase) this.logPhase(tunnel, state.phase, state.reason);
    tunnel.state = state;
    tunnel.lastCheck = this.clock.wallTime();
    for (const event of events) this.handle(tunnel, event);
    if (tunnel.connected) await this.refreshPort(tunnel, signal);
  }

  private canProbe(engine: Engine, owner: NetworkOwner | null | undefined): boolean {
    return engine.lifecycle !== 'starting' && networkOf(engine, owner) === 'present';
  }

  /** Undefined while Docker does not answer: the last known state of the container is no longer valid. */
  private async ownerOf({ name }: Tunnel): Promise<NetworkOwner | null | undefined> {
    try {
      return await this.runtime.networkOwners?.inspect(name);
    } catch (error) {
      this.log.warn('VPN container inspection failed', { vpn: name, error: (error as Error).message });
      return undefined;
    }
  }

  private async askControl(tunnel: Tunnel, signal: AbortSignal): Promise<ControlReply | null> {
    try {
      const vpnStatus = await this.clientOf(tunnel).vpnStatus(signal);
      tunnel.lastError = null;
      return { vpnStatus };
    } catch (error) {
      this.noteError(tunnel, error);
      return null;
    }
  }

  /** Requests the forwarded port while there is none, after every reconnect, and when the cached one has expired. */
  private async refreshPort(tunnel: Tunnel, signal: AbortSignal): Promise<void> {
    const now = this.clock.now();
    const known = tunnel.forwardedPort !== null && tunnel.portAskedAt !== null;
    if (known && now - (tunnel.portAskedAt ?? 0) < this.settings.gluetunPortTtlMs) return;
    const client = this.clientOf(tunnel);
    try {
      const [port, publicIp] = await Promise.all([client.forwardedPort(signal), this.publicIp(client, signal)]);
      if (port !== tunnel.forwardedPort) this.log.info('forwarded port changed', { vpn: tunnel.name, port, before: tunnel.forwardedPort });
      tunnel.forwardedPort = port;
      tunnel.portAskedAt = now;
      tunnel.publicIp = publicIp;
    } catch (error) {
      this.noteError(tunnel, error);
    }
  }

  /** Only shown to people, so the role of the control server may forbid it. */
  private async publicIp(client: GluetunClient, signal: AbortSignal): Promise<string | null> {
    try {
      return await client.publicIp(signal);
    } catch (error) {
      if (!(error instanceof GluetunError)) throw error;
      return null;
    }
  }

  private handle(tunnel: Tunnel, event: TunnelEvent): void {
    this.metrics.transition(tunnel.name, event.type);
    switch (event.type) {
      case 'connected':
        if (event.outageMs !== null && event.outageMs >= FLAP_MS && this.settings.restartEnginesOnReconnect)
          tunnel.replaceBefore = this.clock.wallTime() - event.outageMs;
        // The other engines find their network within seconds, so their earlier failures must not cause a replacement.
        for (const { id } of this.vpn.enginesBehind(tunnel)) this.prober.reset(id);
        break;
      case 'restarted':
      case 'disconnected':
        // After the reconnect the VPN may forward another port.
        tunnel.forwardedPort = null;
        tunnel.portAskedAt = null;
        break;
      default:
        event satisfies never;
    }
  }

  private logPhase(tunnel: Tunnel, phase: string, reason: string): void {
    const bad = phase === 'down' || phase === 'missing' || phase === 'stopped';
    this.log[bad ? 'error' : 'info'](`VPN ${phase}`, { vpn: tunnel.name, before: tunnel.state.phase, reason });
  }

  private noteError(tunnel: Tunnel, error: unknown): void {
    if (!(error instanceof GluetunError)) throw error;
    // While the tunnel is not connected, its state already explains the error.
    if (error.message !== tunnel.lastError)
      this.log[tunnel.connected ? 'warn' : 'debug']('Gluetun control server failed', { vpn: tunnel.name, error: error.message });
    tunnel.lastError = error.message;
  }

  /** The address changes when the container is recreated. While Docker does not answer, the last known address is used. */
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
      case 'suspect':
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
      this.vpn.tunnels.map(({ state, forwardedPort, replaceBefore }) => [state.phase, state.generation, forwardedPort, replaceBefore]),
    );
  }
}
