import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { anInstance } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import { LeaseBook } from '../leases/lease-book.js';
import { RecentTargets, TakenEngines } from './demand.js';
import { planReplacement } from './replacement.policy.js';
import { decideScaling, type PoolEngine, type PoolLimits, type PoolState } from './scaling.policy.js';

/** What happens in one second of the simulation. `dying` and `falling` (becoming unhealthy) are indexes of engines. */
type Second = { viewers: number; leaving: number; dying: number | null; falling: number | null };

const second: fc.Arbitrary<Second> = fc.record({
  viewers: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
  leaving: fc.nat(2),
  dying: fc.option(fc.nat(9), { freq: 8 }),
  falling: fc.option(fc.nat(9), { freq: 8 }),
});

const BOOT_S = 6;

/** Policies, registry and lease book without timers: one round each second; engines need seconds to start. */
class Pool {
  readonly clock = new FakeClock();
  readonly registry = new EngineRegistry(this.clock);
  readonly playing: string[] = [];
  started = 0;
  private readonly boots = new Map<string, number>();
  private readonly targets = new RecentTargets();
  private readonly taken = new TakenEngines();
  private lastReplacementAt = -Infinity;
  private readonly claims = new EngineClaimBook();
  private readonly book = new LeaseBook({
    clock: this.clock,
    claims: this.claims,
    engines: () => this.registry.all(),
    maxStreamsPerEngine: 1,
    newId: () => `lease-${this.names++}`,
    onRevoke: () => undefined,
    onGrant: ({ id, engineId }) => {
      this.playing.push(id);
      this.registry.setUsage(engineId, [], true);
      this.book.renew('p', new Set(this.playing));
    },
  });
  private names = 0;

  constructor(readonly limits: PoolLimits) {
    this.registry.onChange(({ type, engine }) => {
      if (type === 'gone') for (const lease of this.book.engineGone(engine.id)) this.playing.splice(this.playing.indexOf(lease.id), 1);
    });
  }

  pass({ viewers, leaving, dying, falling }: Second): void {
    this.clock.advance(1000);
    for (const [id, at] of this.boots) if (this.clock.now() >= at) this.boot(id);
    for (let i = 0; i < viewers; i++) this.ask(`r${this.names++}`);
    for (let i = 0; i < leaving; i++) this.leave();
    const engines = this.registry.all();
    if (dying !== null && engines[dying]) this.registry.gone(engines[dying].id, 'died');
    if (falling !== null && engines[falling]?.lifecycle === 'ready') this.registry.probed(engines[falling].id, 'unhealthy');
    this.book.expire();
    this.round();
    this.book.settle();
  }

  get free(): number {
    return this.registry
      .all()
      .filter(({ id, lifecycle, health }) => lifecycle === 'ready' && health === 'healthy' && this.claims.on(id).count === 0).length;
  }

  get waiting(): number {
    return this.book.waitingCount;
  }

  leaveAll(): void {
    while (this.playing.length > 0) this.leave();
  }

  private round(): void {
    const now = this.clock.now();
    const state = this.state(now);
    const { target, start, remove } = decideScaling(state, this.limits);
    const { drain } = planReplacement(
      { ...state, sinceLastMs: now - this.lastReplacementAt, blocked: null },
      { minHealthy: this.limits.minFree, max: this.limits.max, graceMs: 60_000, cooldownMs: 10_000 },
    );
    this.targets.record(target, now);
    for (let i = 0; i < start; i++) this.start();
    if (drain) {
      this.lastReplacementAt = now;
      this.registry.startDraining(drain.id, { reason: drain.reason, deadline: this.clock.wallTime() + 60_000 });
    }
    for (const { id, reason } of remove) {
      const engine = this.registry.get(id);
      if (engine?.lifecycle === 'ready') expect(this.claims.on(id).count).toBe(0);
      this.registry.gone(id, reason);
    }
    expect(this.registry.all().length).toBeLessThanOrEqual(this.limits.max);
    expect(this.registry.all().filter(({ lifecycle }) => lifecycle === 'draining').length).toBeLessThanOrEqual(1);
  }

  private state(now: number): PoolState {
    const engines = this.registry.all().map(({ id, lifecycle, health, adopted, idleSince, healthSince, drain }): PoolEngine => ({
      id,
      lifecycle,
      health,
      adopted,
      claims: this.claims.on(id).count,
      cordon: null,
      idleMs: idleSince === null ? 0 : now - idleSince,
      healthMs: now - healthSince,
      drain: drain && { reason: drain.reason, deadlineMs: drain.deadline - this.clock.wallTime() },
    }));
    this.taken.observe(engines, now);
    return {
      engines,
      total: engines.length,
      pending: 0,
      revocable: 0,
      waiting: this.waiting,
      manualMinimum: 0,
      taken: this.taken.within(BOOT_S * 1000, now),
      recentPeak: this.targets.highest(this.limits.idleGraceMs, now),
      startDelayMs: 0,
    };
  }

  private start(): void {
    const id = `e${this.started++}`;
    this.registry.add(anInstance(id));
    this.boots.set(id, this.clock.now() + BOOT_S * 1000);
  }

  private boot(id: string): void {
    this.boots.delete(id);
    this.registry.ready(id);
  }

  private ask(requestId: string): void {
    this.book.ask({ requestId, proxyId: 'p', keys: [requestId], exclude: new Set(), purpose: 'start' });
    // Its HTTP call stays open until it gets an engine.
    this.book.callOpened(requestId);
  }

  private leave(): void {
    const leaseId = this.playing.shift();
    const lease = leaseId === undefined ? null : this.book.release(leaseId);
    if (lease && this.registry.get(lease.engineId)) this.registry.setUsage(lease.engineId, [], false);
  }
}

const QUIET: Second = { viewers: 0, leaving: 0, dying: null, falling: null };

describe('the pool in simulations', () => {
  const days = fc.array(second, { minLength: 5, maxLength: 150, size: 'max' });
  const bounds = fc
    .integer({ min: 0, max: 3 })
    .chain((minFree) => fc.record({ minFree: fc.constant(minFree), max: fc.integer({ min: minFree + 1, max: 8 }) }));

  it('never exceeds its maximum, never removes a playing engine as surplus, and returns to the minimum afterwards', () => {
    fc.assert(
      fc.property(days, bounds, (day, { minFree, max }) => {
        const pool = new Pool({ minFree, max, idleGraceMs: 30_000 });
        for (const each of day) pool.pass(each);
        // Long enough to drain the unhealthy engines, for all viewers to leave, and for the surplus engines to exceed their grace period.
        for (let s = 0; s < 1000; s++) {
          pool.leaveAll();
          pool.pass(QUIET);
        }
        expect([pool.waiting, pool.free, pool.registry.all().length]).toEqual([0, minFree, minFree]);
        const { started } = pool;
        for (let s = 0; s < 200; s++) pool.pass(QUIET);
        expect(pool.started).toBe(started);
      }),
      { numRuns: 80 },
    );
    // Takes 6 s, and longer on a busy machine.
  }, 60_000);

  it('a burst of viewers is served within one startup time when the maximum allows it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(3), (viewers, minFree) => {
        const pool = new Pool({ minFree, max: 20, idleGraceMs: 30_000 });
        pool.pass({ ...QUIET, viewers });
        for (let s = 0; s <= BOOT_S; s++) pool.pass(QUIET);
        expect([pool.playing.length, pool.waiting]).toEqual([viewers, 0]);
      }),
    );
  });
});
