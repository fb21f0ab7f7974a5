import type { OperationType, ScalingDecisionRecord } from '@acexy/contracts';
import { Log } from '@acexy/service-kit';
import { Clock, WakeableLoop } from '@acexy/service-kit/primitives';
import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import { type EngineChange, wasNeverReady } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineRemover } from '../engines/engine-remover.service.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { Readiness } from '../health/readiness.js';
import { LeaseService } from '../leases/lease.service.js';
import { ProvisioningOutlook } from '../leases/provisioning-outlook.js';
import { QueueError } from '../provisioning/provisioning-queue.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { ProvisioningRefusedError } from '../provisioning/refusals.policy.js';
import { ENGINE_RUNTIME, type EngineRuntime, RuntimeUnreachableError } from '../runtime/engine-runtime.js';
import { PoolSettings } from '../engines/pool-settings.js';
import { HealthSettings } from '../health/health-settings.js';
import { VpnWatcher } from '../vpn/vpn-watcher.service.js';
import { DecisionLog } from './decision-log.js';
import { ManualMinimum } from './manual-minimum.js';
import { type PoolSnapshot, PoolSnapshotService } from './pool-snapshot.service.js';
import { ReconcileMetrics } from './reconcile-metrics.js';
import { decideRound, describeRound, type Round, type RoundInputs } from './reconcile.policy.js';
import { decideScaling } from './scaling.policy.js';
import { StartBackoff } from './start-backoff.js';

/** How long the streams of a draining engine have to move to another one. */
const DRAIN_MS = 60_000;
/** Shortest time between rounds: a burst of wake-ups causes two rounds. */
const GAP_MS = 20;

/** The reconcile loop: gathers the state of the pool, decides by the policies, records the decision, and acts. */
@Injectable()
export class ReconcileService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly loop: WakeableLoop;
  private readonly backoff = new StartBackoff();
  private readonly decisions = new DecisionLog();
  private readonly metrics: ReconcileMetrics;
  private readonly log: Log;
  private readonly subscriptions: (() => void)[] = [];
  private readonly removing = new Set<string>();
  private replacementsRequested = 0;
  /** Ids of replacements that run but have not answered yet. */
  private readonly replacementsStarting = new Set<string>();
  /** Monotonic milliseconds. */
  private lastReplacementAt = -Infinity;
  private closing = false;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly registry: EngineRegistry,
    private readonly leases: LeaseService,
    private readonly manualMinimum: ManualMinimum,
    private readonly outlook: ProvisioningOutlook,
    private readonly sync: EngineSync,
    private readonly remover: EngineRemover,
    private readonly provisioning: ProvisioningService,
    private readonly readiness: Readiness,
    private readonly snapshots: PoolSnapshotService,
    private readonly vpn: VpnWatcher,
    private readonly settings: PoolSettings,
    private readonly healthSettings: HealthSettings,
    private readonly clock: Clock,
    private readonly adapterHost: HttpAdapterHost,
    log: Log,
  ) {
    this.log = log.child('autoscaling');
    this.metrics = new ReconcileMetrics(() => snapshots.limits);
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
      this.manualMinimum.onChange(wake),
      this.provisioning.onSettled(wake),
      this.sync.onReachChange(wake),
      this.provisioning.breakers.onReset(wake),
      this.vpn.onChange(wake),
      this.runtime.watch(({ type }) => {
        if (type === 'prepared') wake();
      }),
    );
    // Only when this process has the port: if another orchestrator has it, this one exits and must not have changed anything.
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

  /** Target number of engines now. */
  target(): number {
    return decideScaling(this.takeSnapshot(), this.snapshots.limits).target;
  }

  /** Newest first. */
  latestDecisions(limit: number): ScalingDecisionRecord[] {
    return this.decisions.latest(limit);
  }

  /**
   * Removes the manual minimum and all idle engines beyond the minimum, without a grace period; never an engine that plays, is leased or is
   * cordoned. @returns the ids of the removed engines
   */
  async collect(): Promise<string[]> {
    await this.manualMinimum.set(null);
    const pool = { ...this.takeSnapshot(), taken: 0, recentPeak: 0 };
    const decision = decideScaling(pool, { ...this.snapshots.limits, idleGraceMs: 0 });
    const remove = decision.remove.filter(({ id }) => !this.removing.has(id));
    if (remove.length > 0)
      this.log.info('manual garbage collection', { remove: remove.length, reasons: remove.map(({ reason }) => reason) });
    await Promise.all(remove.map(({ id }) => this.removeEngine(id, 'removed by POST /gc')));
    return remove.map(({ id }) => id).filter((id) => this.registry.get(id) === undefined);
  }

  /** @returns milliseconds until the next round */
  private round(): number {
    const pool = this.takeSnapshot();
    const inputs = this.gather(pool);
    const round = decideRound(inputs);
    this.record(inputs, round);
    this.act(round);
    this.readiness.reconciled();
    const retries = Object.values(this.provisioning.breakers.reports()).map(({ retryInSeconds }) => retryInSeconds * 1000);
    const dueTimes = [pool.startDelayMs, round.replacement.dueInMs ?? 0, ...retries, ...this.snapshots.dueTimes(pool)];
    // What was already due at the snapshot is done now, or waits for something other than time.
    return Math.min(this.settings.autoscaleIntervalMs, ...dueTimes.filter((ms) => ms > 0));
  }

  private takeSnapshot(): PoolSnapshot {
    return this.snapshots.take(this.backoff.delayMs(this.clock.now()));
  }

  private gather(pool: PoolSnapshot): RoundInputs {
    const { minReplicas } = this.settings;
    const { unhealthyGraceMs, replacementCooldownMs } = this.healthSettings;
    const { breakers } = this.provisioning;
    return {
      pool,
      limits: {
        ...this.snapshots.limits,
        minHealthy: minReplicas,
        graceMs: unhealthyGraceMs,
        cooldownMs: replacementCooldownMs,
      },
      removing: this.removing,
      blocked: { general: this.provisioning.checks.blocked('general'), replacement: this.provisioning.checks.blocked('replacement') },
      startLimits: { general: breakers.startLimit('general'), replacement: breakers.startLimit('replacement') },
      replacementsInProgress: this.replacementsRequested + this.replacementsStarting.size,
      sinceLastReplacementMs: this.clock.now() - this.lastReplacementAt,
    };
  }

  private record(inputs: RoundInputs, round: Round): void {
    const decision = describeRound(inputs, round);
    const { target, started, revoked, drained, removed } = decision;
    this.snapshots.recordTarget(target);
    this.metrics.decided(target, { start: started, drain: drained.length, remove: removed.length });
    const isNew = this.decisions.add(decision, new Date(this.clock.wallTime()));
    if (started + revoked + drained.length + removed.length > 0) this.log.info('pool changed', decision);
    else if (isNew) this.log.debug('pool unchanged', decision);
  }

  private act({ scaling, replacement: { drain }, starts, blocked }: Round): void {
    if (scaling.revoke > 0) this.provisioning.revoke(scaling.revoke);
    for (const operation of starts) void this.startEngine(operation);
    this.outlook.pending = this.provisioning.pending;
    this.outlook.lastFailure = this.provisioning.breakers.currentFailure?.reason ?? null;
    this.outlook.refusal = blocked?.toDetail() ?? null;
    if (drain) {
      this.lastReplacementAt = this.clock.now();
      this.registry.startDraining(drain.id, { reason: drain.reason, deadline: this.clock.wallTime() + DRAIN_MS });
    }
    for (const { id, reason } of scaling.remove) void this.removeEngine(id, reason);
  }

  private async removeEngine(id: string, reason: string): Promise<void> {
    this.removing.add(id);
    try {
      await this.remover.remove(id, reason);
    } catch (error) {
      this.log.warn('engine removal failed', { engine_id: id, error });
    } finally {
      this.removing.delete(id);
    }
  }

  private async startEngine(operation: OperationType): Promise<void> {
    const isReplacement = operation === 'replacement';
    if (isReplacement) this.replacementsRequested++;
    try {
      const { id } = await this.provisioning.provision({}, 'autoscaler', operation);
      if (isReplacement && this.registry.get(id)?.lifecycle === 'starting') this.replacementsStarting.add(id);
    } catch (error) {
      this.startFailed(error as Error);
      this.loop.wake();
    } finally {
      if (isReplacement) this.replacementsRequested--;
    }
  }

  private startFailed(error: Error): void {
    if (error.cause instanceof QueueError && error.cause.code === 'queue_revoked') return;
    if (!(error instanceof ProvisioningRefusedError)) this.log.error('engine start failed', { error });
    // No backoff for an unreachable runtime: an event wakes the loop when it is back.
    if (!(error.cause instanceof RuntimeUnreachableError)) this.delayStarts();
  }

  private delayStarts(): void {
    // An open circuit breaker decides alone when the next start comes: what it says to callers must be true.
    if (this.provisioning.breakers.report('general').state === 'open') this.backoff.clear();
    else this.backoff.failed(this.clock.now());
  }

  /** A start has succeeded when the engine answers, and failed when the engine is gone before that. */
  private learn({ type, engine }: EngineChange): void {
    if (type === 'ready') this.backoff.clear();
    else if (type === 'gone' && wasNeverReady(engine)) this.delayStarts();
    if (type === 'ready' || type === 'gone') this.replacementsStarting.delete(engine.id);
  }
}
