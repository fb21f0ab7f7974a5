import { Clock } from '@acexy/service-kit/primitives';
import { Injectable } from '@nestjs/common';
import type { Engine } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { LeaseService } from '../leases/lease.service.js';
import { ProvisioningService } from '../provisioning/provisioning.service.js';
import { PoolSettings } from '../engines/pool-settings.js';
import { EngineLimit } from '../vpn/engine-limit.js';
import { RecentTargets, StartupTime, TakenEngines } from './demand.js';
import { ManualMinimum } from './manual-minimum.js';
import type { PoolEngine, PoolLimits, PoolState } from './scaling.policy.js';

/** The pool at one moment. */
export interface PoolSnapshot extends PoolState {
  /** Monotonic milliseconds. */
  at: number;
}

/** Gathers what the policies decide on: the pool, its recent demand, and the limits. */
@Injectable()
export class PoolSnapshotService {
  private readonly taken = new TakenEngines();
  private readonly targets = new RecentTargets();
  private readonly startupTime = new StartupTime();

  constructor(
    private readonly registry: EngineRegistry,
    private readonly leases: LeaseService,
    private readonly claims: EngineClaimBook,
    private readonly manualMinimum: ManualMinimum,
    private readonly provisioning: ProvisioningService,
    private readonly settings: PoolSettings,
    private readonly limit: EngineLimit,
    private readonly clock: Clock,
  ) {
    registry.onChange(({ type, engine }) => {
      if (type === 'ready' && !engine.adopted) this.startupTime.learn(clock.wallTime() - engine.firstSeen);
    });
  }

  /** @param startDelayMs milliseconds until the next start after failures */
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
      manualMinimum: this.manualMinimum.value,
      taken: this.taken.within(this.startupTime.ms, now),
      recentPeak: this.targets.highest(this.idleGraceMs, now),
      startDelayMs,
    };
  }

  get limits(): PoolLimits {
    return { minFree: this.settings.minReplicas, max: this.limit.engines, idleGraceMs: this.idleGraceMs };
  }

  recordTarget(target: number): void {
    this.targets.record(target, this.clock.now());
  }

  /**
   * Milliseconds after the snapshot at which time alone changes the decision: the grace period of an idle engine ends, a drain reaches its
   * deadline, or the recent peak falls. Counted from the snapshot, because what became due since then is not in the decision.
   */
  dueTimes({ at, engines }: PoolSnapshot): number[] {
    const falls = this.targets.fallsInMs(this.idleGraceMs, at);
    const idle = engines.filter(({ claims, cordon }) => claims === 0 && cordon === null).map(({ idleMs }) => this.idleGraceMs - idleMs);
    const drains = engines.flatMap(({ drain }) => (drain ? [drain.deadlineMs] : []));
    return [...idle, ...drains, ...(falls === null ? [] : [falls])];
  }

  /** Also the time for which the pool does not shrink below a peak: an engine is surplus when it was not needed for that long. */
  private get idleGraceMs(): number {
    return this.settings.autoDelete ? this.settings.engineGracePeriodMs : this.settings.idleTtlMs;
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
      // Without its VPN an engine is useless but kept, because the VPN may return; a draining one is not kept.
      cordon: cutOff !== null && lifecycle !== 'draining' ? 'open' : (cordon?.kind ?? null),
      idleMs: idleSince === null ? 0 : now - idleSince,
      healthMs: now - healthSince,
      drain: drain && { reason: drain.reason, deadlineMs: drain.deadline - this.clock.wallTime() },
    };
  }
}
