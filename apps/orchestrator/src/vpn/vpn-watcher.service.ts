import { Log } from '@acexy/service-kit';
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock, ListenerSet, pause, WakeableLoop } from '@acexy/service-kit/primitives';
import { EngineRegistry } from '../engines/engine-registry.js';
import { ENGINE_RUNTIME, type EngineRuntime, type NetworkOwner } from '../runtime/engine-runtime.js';
import { VpnSettings } from './vpn-settings.js';
import { ReachabilityProber, networkOf } from './reachability-probes.js';
import { ControlReader } from './control-reader.js';
import { reportedStatus } from './reported-status.policy.js';
import type { Tunnel } from './tunnel.js';
import { observe, type TunnelEvent, type TunnelPhase } from './tunnel.policy.js';
import { VpnMetrics } from './vpn-metrics.js';
import { VpnService } from './vpn.service.js';

/** Minimum time between two rounds: Docker's events of one restart arrive within a second. */
const GAP_MS = 200;
/** Time until the next round while a tunnel is suspect or about to change. */
const SOON_MS = 1_000;
/** Timeout of one probe of an engine. */
const PROBE_TIMEOUT_MS = 2_000;
/** A shorter outage needs no replacement of engines. */
const FLAP_MS = 20_000;
/** Gluetun knows its forwarded ports some seconds after the tunnel is up. Without one after this time it forwards none. */
const PORT_SOON_MS = 60_000;
const CHANGING: ReadonlySet<TunnelPhase> = new Set(['unknown', 'starting', 'suspect']);
const FAILED: ReadonlySet<TunnelPhase> = new Set(['down', 'missing', 'stopped']);

/** Observes every VPN periodically, and at once after a Docker event: the container, its control server, and the engines behind it. */
@Injectable()
export class VpnWatcher implements OnModuleInit, OnModuleDestroy {
  private readonly loop: WakeableLoop;
  private readonly log: Log;
  private readonly prober = new ReachabilityProber(PROBE_TIMEOUT_MS);
  private readonly readers: ReadonlyMap<Tunnel, ControlReader>;
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
    this.readers = new Map(vpn.tunnels.map((tunnel) => [tunnel, new ControlReader(tunnel, settings, clock, this.log)]));
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
    // An engine that has just become ready can be probed, and may have a forwarded port.
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
    const limit = new AbortController();
    await Promise.race([this.settled, pause(this.clock, this.settings.vpnStartTimeoutMs, limit.signal)]);
    limit.abort();
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
    await Promise.all([...this.readers].map(([tunnel, control]) => this.check(tunnel, control, signal)));
    this.prober.keepOnly(new Set(this.registry.all().map(({ id }) => id)));
    if (this.vpn.connected) this.markSettled();
    this.rounds.emit();
    if (this.fingerprint() !== before) this.changes.emit();
    if (this.vpn.tunnels.some((tunnel) => this.isUnsettled(tunnel))) return SOON_MS;
  }

  private async check(tunnel: Tunnel, control: ControlReader, signal: AbortSignal): Promise<void> {
    tunnel.owner = await this.ownerOf(tunnel);
    const { owner } = tunnel;
    const hasControlServer = owner === undefined || owner?.running === true;
    const present = this.vpn
      .enginesBehind(tunnel)
      .filter((engine) => engine.lifecycle !== 'starting' && networkOf(engine, owner) === 'present');
    const [vpnStatus, probes] = await Promise.all([
      hasControlServer ? control.vpnStatus(signal) : null,
      this.prober.ask(present, this.clock.now(), signal),
    ]);
    tunnel.reported = reportedStatus(owner, vpnStatus);
    const generation = owner ? `${owner.id}@${owner.startedAt}` : null;
    const { state, events } = observe(tunnel.state, { at: this.clock.now(), reported: tunnel.reported, generation, probes });
    if (state.phase !== tunnel.state.phase)
      this.log[FAILED.has(state.phase) ? 'error' : 'info']('VPN phase changed', {
        vpn: tunnel.name,
        phase: state.phase,
        before: tunnel.state.phase,
        reason: state.reason,
      });
    tunnel.state = state;
    tunnel.lastCheck = this.clock.wallTime();
    for (const event of events) this.handle(tunnel, control, event);
    if (tunnel.connected) await control.refreshPorts(signal);
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

  private handle(tunnel: Tunnel, control: ControlReader, event: TunnelEvent): void {
    this.metrics.transition(tunnel.name, event.type);
    if (event.type !== 'connected') return control.forgetPorts();
    if (event.outageMs !== null && event.outageMs >= FLAP_MS && this.settings.restartEnginesOnReconnect)
      tunnel.replaceBefore = this.clock.wallTime() - event.outageMs;
    // The other engines find their network within seconds, so their earlier failures must not cause a replacement.
    for (const { id } of this.vpn.enginesBehind(tunnel)) this.prober.reset(id);
  }

  private isUnsettled({ state, forwardedPorts }: Tunnel): boolean {
    if (CHANGING.has(state.phase)) return true;
    return state.phase === 'up' && forwardedPorts.length === 0 && this.clock.now() - state.since < PORT_SOON_MS;
  }

  private fingerprint(): string {
    return JSON.stringify(
      this.vpn.tunnels.map(({ state, forwardedPorts, replaceBefore }) => [state.phase, state.generation, forwardedPorts, replaceBefore]),
    );
  }
}
