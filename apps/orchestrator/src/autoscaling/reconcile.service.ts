import { Log } from '@acexy/service-kit';
import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import { Clock } from '../clock.js';
import { type Engine, type EngineChange, EngineRegistry, wasNeverReady } from '../engines/engine-registry.js';
import { EngineRemover } from '../engines/engine-remover.service.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import { LeaseService } from '../engines/lease.service.js';
import type { PoolKeeper } from '../engines/pool-keeper.js';
import { Supply } from '../engines/supply.js';
import { Readiness } from '../health/readiness.js';
import { EngineStarter } from '../provisioning-api/engine-starter.service.js';
import { ProvisioningRefusedError } from '../provisioning/provisioning-refused.error.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { circuitRefusal, unreachableRefusal } from '../provisioning/refusals.js';
import { ENGINE_RUNTIME, type EngineRuntime, RuntimeUnreachableError } from '../runtime/engine-runtime.js';
import { OrchestratorSettings } from '../settings.js';
import { WakeableLoop } from '../wakeable-loop.js';
import { decideScaling, type PoolEngine, type PoolLimits, type PoolState, type ScalingDecision } from './scaling.policy.js';
import { StartBackoff } from './start-backoff.js';

/** How long the viewers of an engine that drains have to be moved. */
const DRAIN_MS = 60_000;
/** A burst of wake-ups is answered by its first round and one more. */
const GAP_MS = 20;

/** The one loop that makes the pool what it should be: gathers, decides by the policy, acts, and says what it did. */
@Injectable()
export class ReconcileService implements OnApplicationBootstrap, OnModuleDestroy, PoolKeeper {
  private readonly loop: WakeableLoop;
  private readonly backoff = new StartBackoff();
  private readonly log: Log;
  private readonly subscriptions: (() => void)[] = [];
  private readonly leaving = new Set<string>();
  private closing = false;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly registry: EngineRegistry,
    private readonly leases: LeaseService,
    private readonly supply: Supply,
    private readonly sync: EngineSync,
    private readonly remover: EngineRemover,
    private readonly starter: EngineStarter,
    private readonly provisioning: ProvisioningService,
    private readonly readiness: Readiness,
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
      round: () => Promise.resolve(this.round()),
      log: this.log,
    });
  }

  onApplicationBootstrap(): void {
    const wake = (): void => this.loop.wake();
    this.subscriptions.push(
      this.registry.onChange((change) => this.learn(change)),
      this.registry.onChange(wake),
      this.leases.onDemand(wake),
      this.starter.onSettled(wake),
      this.sync.onReachChange(wake),
      this.runtime.watch(({ type }) => {
        if (type === 'prepared') wake();
      }),
    );
    // Not before our port is ours: where another orchestrator has it, we end without having touched anything.
    const server = this.adapterHost.httpAdapter.getHttpServer() as Server;
    server.once('listening', () => this.sync.start());
    void this.sync.firstSync.then(() => {
      if (!this.closing) this.loop.start();
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.closing = true;
    for (const unsubscribe of this.subscriptions) unsubscribe();
    await this.loop.stop();
  }

  async collect(): Promise<string[]> {
    const { remove } = this.withoutLeaving(decideScaling(this.gather(), { ...this.limits(), idleGraceMs: 0 }));
    if (remove.length > 0) this.log.info('collection by hand', { remove: remove.length, reasons: remove.map(({ reason }) => reason) });
    await Promise.all(remove.map(({ id }) => this.removeOne(id, 'collected by hand')));
    return remove.map(({ id }) => id).filter((id) => this.registry.get(id) === undefined);
  }

  private round(): number {
    const pool = this.gather();
    const decision = this.withoutLeaving(decideScaling(pool, this.limits()));
    this.record(pool, decision);
    this.act(decision);
    this.readiness.reconciled();
    return this.nextLookMs(pool);
  }

  private limits(): PoolLimits {
    return {
      minFree: this.settings.minReplicas,
      max: this.settings.maxReplicas,
      idleGraceMs: this.settings.autoDelete ? this.settings.engineGracePeriodMs : this.settings.idleTtlMs,
      unhealthyGraceMs: this.settings.unhealthyGraceMs,
    };
  }

  /** A start has succeeded when the engine answers, and failed when it goes before it did so without our doing. */
  private learn({ type, engine }: EngineChange): void {
    if (type === 'ready') this.backoff.succeeded();
    else if (type === 'gone' && wasNeverReady(engine)) this.backoff.failed(this.clock.monotonic());
  }

  private gather(): PoolState {
    const now = this.clock.monotonic();
    return {
      engines: this.registry.all().map((engine) => this.describe(engine, now)),
      total: Math.max(this.provisioning.engineCount(), this.registry.all().length),
      pending: this.starter.pending,
      waiting: this.leases.waitingCount,
      startDelayMs: this.backoff.delayMs(now),
    };
  }

  private describe(engine: Engine, now: number): PoolEngine {
    const { id, lifecycle, health, idleSince, healthSince, drain } = engine;
    return {
      id,
      lifecycle,
      health,
      claims: this.leases.claimCount(id),
      held: this.leases.holdOn(id)?.kind ?? null,
      idleMs: idleSince === null ? 0 : now - idleSince,
      healthMs: now - healthSince,
      deadlineMs: drain && drain.deadline - this.clock.now(),
    };
  }

  private record({ total, waiting, pending }: PoolState, { target, start, drain, remove, reasons }: ScalingDecision): void {
    if (start + drain.length + remove.length === 0) return;
    this.log.info('pool changes', { target, total, waiting, pending, start, drain: drain.length, remove: remove.length, reasons });
  }

  private act({ start, drain, remove, limited }: ScalingDecision): void {
    // What breaker and queue let through is theirs to say; but what is closed for all needs no asking.
    const blocked = this.blocked();
    if (!blocked) for (let i = 0; i < start; i++) void this.startOne();
    this.supply.pending = this.starter.pending;
    this.supply.refusal = (blocked ?? (limited ? this.full() : null))?.toDetail() ?? null;
    const deadline = this.clock.now() + DRAIN_MS;
    for (const { id, reason } of drain) this.registry.startDraining(id, { reason, deadline });
    for (const { id, reason } of remove) void this.removeOne(id, reason);
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

  private async startOne(): Promise<void> {
    try {
      await this.starter.start({}, 'autoscaler');
    } catch (error) {
      if (!(error instanceof ProvisioningRefusedError)) this.log.error('an engine could not be started', { error });
      // What was away when it was asked is told of when it is back.
      if (!((error as Error).cause instanceof RuntimeUnreachableError)) this.backoff.failed(this.clock.monotonic());
      this.loop.wake();
    }
  }

  /** Why no engine can be started for anybody, or null. */
  private blocked(): ProvisioningRefusedError | null {
    const circuit = this.provisioning.circuit();
    if (circuit.state === 'open') return circuitRefusal(circuit, this.settings.startupGraceMs);
    if (this.sync.runtimeReached === false) return unreachableRefusal(this.settings.monitorIntervalMs);
    return this.provisioning.preparing();
  }

  private full(): ProvisioningRefusedError {
    return new ProvisioningRefusedError({
      code: 'max_capacity',
      message: `all ${this.settings.maxReplicas} engines of MAX_REPLICAS are in use`,
      recoveryEtaSeconds: this.settings.autoscaleIntervalMs / 1000,
      canRetry: false,
      shouldWait: true,
    });
  }

  /** When something falls due before the interval is over. */
  private nextLookMs({ engines, startDelayMs }: PoolState): number {
    const dues = [startDelayMs, this.provisioning.circuit().retryInSeconds * 1000];
    const graceMs = this.settings.autoDelete ? this.settings.engineGracePeriodMs : this.settings.idleTtlMs;
    for (const { claims, held, idleMs, health, healthMs, deadlineMs } of engines) {
      if (claims === 0 && held === null) dues.push(graceMs - idleMs);
      if (health === 'unhealthy') dues.push(this.settings.unhealthyGraceMs - healthMs);
      if (deadlineMs !== null) dues.push(deadlineMs);
    }
    // What was due already is done by now, or waits for something else than time.
    const later = dues.filter((ms) => ms > 0);
    return later.length === 0 ? this.settings.autoscaleIntervalMs : Math.min(...later);
  }
}
