import { Log } from '@acexy/service-kit';
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { VPN_PORT_LABEL } from '../runtime/engine-labels.js';
import { ENGINE_RUNTIME, type EngineRuntime } from '../runtime/engine-runtime.js';
import { EngineLimit } from './engine-limit.js';
import { networkOf } from './reachability-probes.js';
import { type EngineBehindVpn, planRollout, type RolloutView, usableOf } from './vpn-rollout.plan.js';
import type { Tunnel } from './tunnel.js';
import { VpnWatcher } from './vpn-watcher.service.js';
import { VpnMetrics } from './vpn-metrics.js';
import { VpnService } from './vpn.service.js';

/** Time for an engine without a network to stop; no viewer can reach it anyway. */
const REJOIN_GRACE_MS = 2_000;

/** After each observation of the VPNs: records for each engine whether it has a network, and carries out the rollout plan. */
@Injectable()
export class VpnRollout implements OnModuleInit, OnModuleDestroy {
  private readonly rejoining = new Map<string, Promise<void>>();
  private last: { at: number; usableBefore: number } | null = null;
  private unsubscribe: (() => void) | undefined;
  private readonly log: Log;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly watcher: VpnWatcher,
    private readonly vpn: VpnService,
    private readonly registry: EngineRegistry,
    private readonly claims: EngineClaimBook,
    private readonly limit: EngineLimit,
    private readonly clock: Clock,
    private readonly metrics: VpnMetrics,
    log: Log,
  ) {
    this.log = log.child('vpn');
  }

  onModuleInit(): void {
    this.unsubscribe = this.watcher.onRound(() => this.apply());
  }

  async onModuleDestroy(): Promise<void> {
    this.unsubscribe?.();
    await Promise.all(this.rejoining.values());
  }

  private apply(): void {
    for (const engine of this.registry.all()) this.registry.networkSeen(engine.id, this.networkSeen(engine));
    const view = this.view();
    const { rejoin, drain, replaced } = planRollout(view);
    for (const id of rejoin) this.rejoin(id);
    if (replaced !== null) this.last = { at: this.clock.now(), usableBefore: usableOf(view.engines).length };
    for (const { id, reason, graceMs } of drain) this.registry.startDraining(id, { reason, deadline: this.clock.wallTime() + graceMs });
  }

  private networkSeen(engine: Engine): Pick<Engine, 'cutOff' | 'forwarded'> {
    const tunnel = this.vpn.tunnelOf(engine);
    if (!tunnel) return { cutOff: null, forwarded: false };
    const cutOff = this.cutOff(engine, tunnel);
    return { cutOff, forwarded: cutOff === null && tunnel.forwardedPorts.includes(engine.instance.ports.p2p) };
  }

  private cutOff(engine: Engine, tunnel: Tunnel): string | null {
    const network = networkOf(engine, tunnel.owner);
    if (network === 'earlier-generation') return `the VPN container ${tunnel.name} was restarted`;
    if (network === 'other-container') return `the VPN container ${tunnel.name} was recreated`;
    // Before the first observation, engines of an earlier run count as healthy.
    if (!tunnel.connected && tunnel.state.phase !== 'unknown') return `the VPN ${tunnel.name} is not connected`;
    return this.watcher.unreachableSince(engine.id) === null ? null : 'it has no network, although its VPN is up';
  }

  private view(): RolloutView {
    const now = this.clock.now();
    const engines = this.registry.all();
    return {
      engines: engines.map((engine) => this.describe(engine, now)),
      tunnels: this.vpn.tunnels.map(({ index, connected, state, forwardedPorts, replaceBefore }) => ({
        index,
        connected,
        lostMs: state.lostAt === null ? 0 : now - state.lostAt,
        forwardedPorts,
        replaceBefore,
      })),
      total: engines.length,
      limit: this.limit.engines,
      last: this.last && { agoMs: now - this.last.at, usableBefore: this.last.usableBefore },
    };
  }

  private describe(engine: Engine, now: number): EngineBehindVpn {
    const { id, lifecycle, cutOff, firstSeen, instance } = engine;
    const tunnel = this.vpn.tunnelOf(engine);
    const unreachableSince = this.watcher.unreachableSince(id);
    const givenPort = instance.labels[VPN_PORT_LABEL];
    return {
      id,
      // An engine that is being restarted returns as a new one.
      lifecycle: this.rejoining.has(id) ? 'starting' : lifecycle,
      claims: this.claims.on(id).count,
      tunnel: tunnel?.index ?? null,
      network: this.rejoining.has(id) ? 'unknown' : tunnel ? networkOf(engine, tunnel.owner) : 'unknown',
      cutOff: cutOff !== null,
      unreachableMs: unreachableSince === null ? null : now - unreachableSince,
      firstSeen,
      p2pPort: instance.ports.p2p,
      givenPort: givenPort === undefined ? null : Number(givenPort),
    };
  }

  /** Restarts an engine to join the new network of its VPN container. If that fails, the engine is replaced. */
  private rejoin(id: string): void {
    const { networkOwners } = this.runtime;
    if (!networkOwners || this.rejoining.has(id)) return;
    this.log.info('restarting engine after VPN restart', { engine_id: id });
    const engine = this.registry.get(id);
    const vpn = (engine && this.vpn.tunnelOf(engine)?.name) ?? 'none';
    const rejoining = networkOwners
      .rejoin(id, REJOIN_GRACE_MS)
      .then(() => this.metrics.rejoined(vpn, 'restarted'))
      .catch((error: unknown) => {
        this.metrics.rejoined(vpn, 'failed');
        this.log.warn('engine restart failed', { engine_id: id, error: (error as Error).message });
        this.registry.startDraining(id, {
          reason: 'it could not rejoin the network of its VPN',
          deadline: this.clock.wallTime(),
        });
      })
      .finally(() => {
        this.rejoining.delete(id);
        this.watcher.wake();
      });
    this.rejoining.set(id, rejoining);
  }
}
