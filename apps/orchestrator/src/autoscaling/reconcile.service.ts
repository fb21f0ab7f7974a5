import type { OperationType, ScalingDecisionRecord } from '@acexy/contracts';
import { Log } from '@acexy/service-kit';
import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import { Clock, WakeableLoop } from '@acexy/service-kit/primitives';
import { type EngineChange, wasNeverReady } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineRemover } from '../engines/engine-remover.service.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { LeaseService } from '../leases/lease.service.js';
import { ManualMinimum } from './manual-minimum.js';
import { ProvisioningOutlook } from '../leases/provisioning-outlook.js';
import { Readiness } from '../health/readiness.js';
import type { OperationReport } from '../provisioning/provisioning-breakers.js';
import { QueueError } from '../provisioning/provisioning-queue.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { capacityRefusal, circuitRefusal, ProvisioningRefusedError, unreachableRefusal } from '../provisioning/refusals.policy.js';
import { ENGINE_RUNTIME, type EngineRuntime, RuntimeUnreachableError } from '../runtime/engine-runtime.js';
import { OrchestratorSettings } from '../settings.js';
import { VpnWatcher } from '../vpn/vpn-watcher.service.js';
import { DecisionLog } from './decision-log.js';
import { type PoolSnapshot, PoolSnapshotService } from './pool-snapshot.service.js';
import { ReconcileMetrics } from './reconcile-metrics.js';
import { planReplacement, replacementsAmong, type ReplacementPlan } from './replacement.policy.js';
import { countEngines, decideScaling, type ScalingDecision } from './scaling.policy.js';
import { StartBackoff } from './start-backoff.js';

/** How long the viewers of an engine that drains have to be moved. */
const DRAIN_MS = 60_000;
/** A burst of wake-ups is answered by its first round and one more. */
const GAP_MS = 20;

/** What a round does, after all has been said. */
interface Round {
  pool: PoolSnapshot;
  /** The breakers, as of when the round began. */
  circuits: Record<OperationType, OperationReport>;
  decision: ScalingDecision;
  plan: ReplacementPlan;
  /** Engines to be ordered, each as what it is. */
  orders: OperationType[];
  /** Why none can be started, or not all, or null. */
  blocked: ProvisioningRefusedError | null;
}

/** The one loop that makes the pool what it should be: gathers, decides by the policies, acts, and says what it did. */
@Injectable()
export class ReconcileService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly loop: WakeableLoop;
  private readonly backoff = new StartBackoff();
  private readonly decisions = new DecisionLog();
  private readonly metrics = new ReconcileMetrics();
  private readonly log: Log;
  private readonly subscriptions: (() => void)[] = [];
  private readonly leaving = new Set<string>();
  /** Engines in place of ill ones: ordered, and by id those that have yet to answer. */
  private replacementsOrdered = 0;
  private readonly replacementsStarting = new Set<string>();
  /** Monotonic milliseconds. */
  private lastReplacementAt = -Infinity;
  private closing = false;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly registry: EngineRegistry,
    private readonly leases: LeaseService,
    private readonly floor: ManualMinimum,
    private readonly supply: ProvisioningOutlook,
    private readonly sync: EngineSync,
    private readonly remover: EngineRemover,
    private readonly provisioning: ProvisioningService,
    private readonly readiness: Readiness,
    private readonly picture: PoolSnapshotService,
    private readonly vpn: VpnWatcher,
    private readonly settings: OrchestratorSettings,
    private readonly clock: Clock,
    private readonly adapterHost: HttpAdapterHost,
    log: Log,
  ) {
    this.log = log.child('autoscaling');
    this.loop = new WakeableLoop({
      name: 'reconcile',
      intervalMs: settings.autoscaleIntervalMs,
      gapMs: GAP_MS,
      round: () => Promise.resolve(this.metrics.round(() => this.round())),
      log: this.log,
    });
  }

  onApplicationBootstrap(): void {
    const wake = (): void => this.loop.wake();
    this.subscriptions.push(
      this.registry.onChange((change) => this.learn(change)),
      this.registry.onChange(wake),
      this.leases.onDemand(wake),
      this.floor.onChange(wake),
      this.provisioning.onSettled(wake),
      this.sync.onReachChange(wake),
      this.provisioning.breakers.onReset(wake),
      this.vpn.onChange(wake),
      this.runtime.watch(({ type }) => {
        if (type === 'prepared') wake();
      }),
    );
    // Not before our port is ours: where another orchestrator has it, we end without having touched anything.
    const server = this.adapterHost.httpAdapter.getHttpServer() as Server;
    server.once('listening', () => this.sync.start());
    void Promise.all([this.sync.firstSync, this.vpn.firstConnected()]).then(() => {
      if (!this.closing) this.loop.start();
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.closing = true;
    for (const unsubscribe of this.subscriptions) unsubscribe();
    await this.loop.stop();
  }

  /** How many engines there should be, as of now. */
  target(): number {
    return decideScaling(this.gather(), this.picture.limits).target;
  }

  /** The last decisions, newest first. */
  latestDecisions(limit: number): ScalingDecisionRecord[] {
    return this.decisions.latest(limit);
  }

  /**
   * Removes the manual minimum and all idle engines beyond the minimum, without a grace period; never an engine that plays, is leased or is
   * cordoned. @returns the ids of the removed engines
   */
  async collect(): Promise<string[]> {
    await this.floor.lift();
    const beyondMinimum = { ...this.gather(), taken: 0, recentPeak: 0 };
    const { remove } = this.withoutLeaving(decideScaling(beyondMinimum, { ...this.picture.limits, idleGraceMs: 0 }));
    if (remove.length > 0) this.log.info('collection by hand', { remove: remove.length, reasons: remove.map(({ reason }) => reason) });
    await Promise.all(remove.map(({ id }) => this.removeOne(id, 'collected by hand')));
    return remove.map(({ id }) => id).filter((id) => this.registry.get(id) === undefined);
  }

  private round(): number {
    const pool = this.gather();
    const decision = this.withoutLeaving(decideScaling(pool, this.picture.limits));
    const round = this.plan(pool, decision);
    this.picture.decided(decision.target);
    this.metrics.decided(decision.target, { start: round.orders.length, drain: round.plan.drain ? 1 : 0, remove: decision.remove.length });
    this.record(round);
    this.act(round);
    this.readiness.reconciled();
    return this.nextLookMs(round);
  }

  private gather(): PoolSnapshot {
    return this.picture.take(this.backoff.delayMs(this.clock.now()));
  }

  private plan(pool: PoolSnapshot, decision: ScalingDecision): Round {
    const circuits = this.provisioning.breakers.reports();
    const all = this.blockedForAll();
    const general = all ?? this.refusedBy(circuits.general);
    const replacement = all ?? this.refusedBy(circuits.replacement);
    const underWay = this.replacementsOrdered + this.replacementsStarting.size;
    const replacing = replacementsAmong(decision.start, pool, underWay);
    const orders: OperationType[] = [];
    // What breaker and queue let through is theirs to say; but what is closed needs no asking.
    if (!general) orders.push(...Array<OperationType>(decision.start - replacing).fill('general'));
    if (!replacement) orders.push(...Array<OperationType>(replacing).fill('replacement'));
    const plan = planReplacement(
      { ...pool, sinceLastMs: this.clock.now() - this.lastReplacementAt, blocked: replacement?.message ?? null },
      {
        minHealthy: this.settings.minReplicas,
        max: this.settings.engineLimit,
        graceMs: this.settings.unhealthyGraceMs,
        cooldownMs: this.settings.replacementCooldownMs,
      },
    );
    const full = decision.limited ? capacityRefusal(this.settings.engineLimit, this.settings.autoscaleIntervalMs) : null;
    return { pool, circuits, decision, plan, orders, blocked: general ?? (replacing > 0 ? replacement : null) ?? full };
  }

  /** A start has succeeded when the engine answers, and failed when it goes before it did so without our doing. */
  private learn({ type, engine }: EngineChange): void {
    if (type === 'ready') this.backoff.succeeded();
    else if (type === 'gone' && wasNeverReady(engine)) this.backoff.failed(this.clock.now());
    if (type === 'ready' || type === 'gone') this.replacementsStarting.delete(engine.id);
  }

  private record({ pool, decision, plan, orders, blocked }: Round): void {
    const { engines } = pool;
    const entry = {
      inputs: {
        total: pool.total,
        free: countEngines(pool).free.length,
        busy: engines.filter(({ claims }) => claims > 0).length,
        starting: engines.filter(({ lifecycle }) => lifecycle === 'starting').length,
        pending: pool.pending,
        unhealthy: engines.filter(({ health }) => health === 'unhealthy').length,
        draining: engines.filter(({ lifecycle }) => lifecycle === 'draining').length,
        held: engines.filter(({ held }) => held !== null).length,
        waiting: pool.waiting,
        floor: this.floor.value,
        taken: pool.taken,
        recent_peak: pool.recentPeak,
        min_free: this.settings.minReplicas,
        max: this.settings.engineLimit,
      },
      target: decision.target,
      lookahead: decision.lookahead,
      started: orders.length,
      replacements: orders.filter((operation) => operation === 'replacement').length,
      revoked: decision.revoke,
      drained: plan.drain ? [{ container_id: plan.drain.id, reason: plan.drain.reason }] : [],
      removed: decision.remove.map(({ id, reason }) => ({ container_id: id, reason })),
      blocked: decision.start > orders.length || decision.limited ? (blocked?.message ?? null) : null,
      reasons: plan.waitsFor === null ? decision.reasons : [...decision.reasons, `unhealthy engines wait for ${plan.waitsFor}`],
    };
    const isNew = this.decisions.add(entry, new Date(this.clock.wallTime()));
    const acts = orders.length + decision.revoke + entry.drained.length + entry.removed.length > 0;
    if (acts) this.log.info('pool changes', entry);
    else if (isNew) this.log.debug('pool stays', entry);
  }

  private act({ decision, plan, orders, blocked }: Round): void {
    if (decision.revoke > 0) this.provisioning.revoke(decision.revoke);
    for (const operation of orders) void this.startOne(operation);
    this.supply.pending = this.provisioning.pending;
    this.supply.refusal = blocked?.toDetail() ?? null;
    if (plan.drain) {
      this.lastReplacementAt = this.clock.now();
      this.registry.startDraining(plan.drain.id, { reason: plan.drain.reason, deadline: this.clock.wallTime() + DRAIN_MS });
    }
    for (const { id, reason } of decision.remove) void this.removeOne(id, reason);
  }

  /** An engine takes seconds to end; nobody waits for that. */
  private async removeOne(id: string, reason: string): Promise<void> {
    this.leaving.add(id);
    try {
      await this.remover.remove(id, reason);
    } catch (error) {
      this.log.warn('engine could not be removed, trying again later', { engine_id: id, error });
    } finally {
      this.leaving.delete(id);
    }
  }

  private withoutLeaving(decision: ScalingDecision): ScalingDecision {
    return { ...decision, remove: decision.remove.filter(({ id }) => !this.leaving.has(id)) };
  }

  private async startOne(operation: OperationType): Promise<void> {
    const replaces = operation === 'replacement';
    if (replaces) this.replacementsOrdered++;
    try {
      const { id } = await this.provisioning.provision({}, 'autoscaler', operation);
      if (replaces && this.registry.get(id)?.lifecycle === 'starting') this.replacementsStarting.add(id);
    } catch (error) {
      this.startFailed(error as Error);
      this.loop.wake();
    } finally {
      if (replaces) this.replacementsOrdered--;
    }
  }

  private startFailed(error: Error): void {
    if (error.cause instanceof QueueError && error.cause.code === 'queue_revoked') return;
    if (!(error instanceof ProvisioningRefusedError)) this.log.error('an engine could not be started', { error });
    // What was away when it was asked is told of when it is back.
    if (!(error.cause instanceof RuntimeUnreachableError)) this.backoff.failed(this.clock.now());
  }

  /** Why no engine can be started for anybody, or null. */
  private blockedForAll(): ProvisioningRefusedError | null {
    if (this.sync.runtimeReached === false) return unreachableRefusal(this.settings.monitorIntervalMs);
    return this.provisioning.preparing();
  }

  private refusedBy(circuit: OperationReport): ProvisioningRefusedError | null {
    return circuit.state === 'open' ? circuitRefusal(circuit, this.settings.startupGraceMs) : null;
  }

  /** When something falls due before the interval is over. */
  private nextLookMs({ pool, circuits, plan }: Round): number {
    const retries = Object.values(circuits).map(({ retryInSeconds }) => retryInSeconds * 1000);
    // What was due already when the round began is done by now, or waits for something else than time.
    const later = [pool.startDelayMs, plan.dueInMs ?? 0, ...retries, ...this.picture.dues(pool)].filter((ms) => ms > 0);
    return Math.min(this.settings.autoscaleIntervalMs, ...later);
  }
}
