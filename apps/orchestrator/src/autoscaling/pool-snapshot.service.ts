import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import type { Engine, EngineChange } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { LeaseService } from '../leases/lease.service.js';
import { ManualMinimum } from './manual-minimum.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { OrchestratorSettings } from '../settings.js';
import { LeadTime, RecentTargets, TakenEngines } from './demand.js';
import type { PoolEngine, PoolLimits, PoolState } from './scaling.policy.js';

/** The pool at one moment. */
export interface PoolSnapshot extends PoolState {
  /** Monotonic milliseconds. */
  at: number;
}

/** Everything the policies are told: the pool as it is, what the recent past says, and the limits. */
@Injectable()
export class PoolSnapshotService implements OnModuleInit, OnModuleDestroy {
  private readonly taken = new TakenEngines();
  private readonly targets = new RecentTargets();
  private readonly lead = new LeadTime();
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly leases: LeaseService,
    private readonly claims: EngineClaimBook,
    private readonly floor: ManualMinimum,
    private readonly provisioning: ProvisioningService,
    private readonly settings: OrchestratorSettings,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = this.registry.onChange((change) => this.learn(change));
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }

  /** @param startDelayMs until a start is worth trying again */
  take(startDelayMs: number): PoolSnapshot {
    const now = this.clock.now();
    const engines = this.registry.all().map((engine) => this.describe(engine, now));
    this.taken.observe(engines, now);
    return {
      at: now,
      engines,
      total: Math.max(this.provisioning.engineCount(), engines.length),
      pending: this.provisioning.pending,
      revocable: this.provisioning.revocable,
      waiting: this.leases.waitingCount,
      floor: this.floor.value ?? 0,
      taken: this.taken.within(this.lead.ms, now),
      recentPeak: this.targets.highest(this.idleGraceMs, now),
      startDelayMs,
    };
  }

  get limits(): PoolLimits {
    return { minFree: this.settings.minReplicas, max: this.settings.engineLimit, idleGraceMs: this.idleGraceMs };
  }

  decided(target: number): void {
    this.targets.note(target, this.clock.now());
  }

  /**
   * Milliseconds from when it was taken until an idle engine, a drain or the peak of the last while gives another answer. Not from now: what
   * fell due since then, the decision has not seen.
   */
  dues({ at, engines }: PoolSnapshot): number[] {
    const falls = this.targets.fallsInMs(this.idleGraceMs, at);
    const idle = engines.filter(({ claims, held }) => claims === 0 && held === null).map(({ idleMs }) => this.idleGraceMs - idleMs);
    const drains = engines.flatMap(({ drain }) => (drain ? [drain.deadlineMs] : []));
    return [...idle, ...drains, ...(falls === null ? [] : [falls])];
  }

  /** Also how long the pool does not shrink: an engine is surplus when it was too many for as long as it has to be idle. */
  private get idleGraceMs(): number {
    return this.settings.autoDelete ? this.settings.engineGracePeriodMs : this.settings.idleTtlMs;
  }

  private learn({ type, engine }: EngineChange): void {
    if (type === 'ready' && !engine.adopted) this.lead.learn(this.clock.wallTime() - engine.firstSeen);
  }

  private describe(engine: Engine, now: number): PoolEngine {
    const { id, lifecycle, health, adopted, idleSince, healthSince, drain, cutOff } = engine;
    const { count, cordon } = this.claims.on(id);
    return {
      id,
      lifecycle,
      health,
      adopted,
      claims: count,
      // Of no use to anybody until its VPN is back, and worth keeping until then; one that leaves is not kept.
      held: cutOff !== null && lifecycle !== 'draining' ? 'open' : (cordon?.kind ?? null),
      idleMs: idleSince === null ? 0 : now - idleSince,
      healthMs: now - healthSince,
      drain: drain && { reason: drain.reason, deadlineMs: drain.deadline - this.clock.wallTime() },
    };
  }
}
