import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aPoolEngine as engine } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { decideScaling, type PoolEngine, type PoolLimits, type PoolState } from './scaling.policy.js';

const LIMITS: PoolLimits = { minFree: 2, max: 5, idleGraceMs: 30_000 };

function pool(engines: PoolEngine[], overrides: Partial<PoolState> = {}): PoolState {
  return {
    engines,
    total: engines.length + (overrides.pending ?? 0),
    pending: 0,
    revocable: 0,
    waiting: 0,
    floor: 0,
    taken: 0,
    recentPeak: 0,
    startDelayMs: 0,
    ...overrides,
  };
}

const IDLE = { idleMs: 40_000 };

describe('the scaling policy', () => {
  it('fills an empty pool up to the free engines wanted', () => {
    expect(decideScaling(pool([]), LIMITS)).toMatchObject({ target: 2, start: 2, remove: [], limited: false });
  });

  it('starts nothing for what is on its way', () => {
    expect(decideScaling(pool([engine('a', { lifecycle: 'starting' })], { pending: 1 }), LIMITS).start).toBe(0);
  });

  it('starts one for everybody who waits, beyond the free ones', () => {
    expect(decideScaling(pool([], { waiting: 2 }), LIMITS)).toMatchObject({ start: 4, target: 4 });
  });

  it('starts an engine for one who waits though none are to be kept free', () => {
    expect(decideScaling(pool([], { waiting: 1 }), { ...LIMITS, minFree: 0 }).start).toBe(1);
  });

  it('replaces a free engine that was taken', () => {
    expect(decideScaling(pool([engine('a', { claims: 1 }), engine('b')]), LIMITS)).toMatchObject({ target: 3, start: 1 });
  });

  it('never goes above the maximum, and says that those who wait are out of luck only when they are', () => {
    const busy = ['a', 'b', 'c', 'd'].map((id) => engine(id, { claims: 1 }));
    expect(decideScaling(pool(busy, { waiting: 1 }), LIMITS)).toMatchObject({ start: 1, target: 5, limited: false });
    expect(decideScaling(pool([...busy, engine('e', { claims: 1 })], { waiting: 1 }), LIMITS)).toMatchObject({ start: 0, limited: true });
  });

  it('counts neither an unhealthy nor a draining engine as free', () => {
    const engines = [engine('a', { health: 'unhealthy' }), engine('b', { lifecycle: 'draining', claims: 1 })];
    expect(decideScaling(pool(engines), LIMITS).start).toBe(2);
  });

  it('starts nothing in place of engines that are kept back for a moment, but does for those in quarantine', () => {
    expect(decideScaling(pool([engine('a', { held: 'brief' }), engine('b', { held: 'brief' })]), LIMITS).start).toBe(0);
    expect(decideScaling(pool([engine('a', { held: 'open' }), engine('b', { held: 'open' })]), LIMITS).start).toBe(2);
  });

  it('waits with a start that has just failed', () => {
    expect(decideScaling(pool([], { startDelayMs: 700 }), LIMITS)).toMatchObject({ start: 0, target: 2 });
  });

  it('removes what is too many, the longest idle first, and only past its grace', () => {
    const engines = [
      engine('new', { idleMs: 1000 }),
      engine('old', { idleMs: 90_000 }),
      engine('older', { idleMs: 99_000 }),
      engine('d', IDLE),
    ];
    expect(decideScaling(pool(engines), LIMITS).remove.map(({ id }) => id)).toEqual(['older', 'old']);
  });

  it('removes no free engine while somebody waits for one', () => {
    const engines = ['a', 'b', 'c'].map((id) => engine(id, IDLE));
    expect(decideScaling(pool(engines, { waiting: 1 }), LIMITS).remove).toEqual([]);
  });

  it('removes an engine that drains once nothing plays on it, or at its deadline', () => {
    const draining = (claims: number, deadlineMs: number) =>
      decideScaling(pool([engine('a', { lifecycle: 'draining', claims, drain: { reason: 'unhealthy', deadlineMs } })]), LIMITS).remove;
    expect(draining(1, 5)).toEqual([]);
    expect(draining(0, 5)).toHaveLength(1);
    expect(draining(1, 0)).toHaveLength(1);
  });

  describe('with a floor that was ordered', () => {
    it('starts what is below it, within the maximum', () => {
      expect(decideScaling(pool([engine('a')], { floor: 4 }), LIMITS)).toMatchObject({ target: 4, start: 3 });
      expect(decideScaling(pool([], { floor: 40 }), LIMITS)).toMatchObject({ target: 5, start: 5 });
    });

    it('wants no more than it where more are in use anyway', () => {
      const busy = ['a', 'b', 'c'].map((id) => engine(id, { claims: 1 }));
      expect(decideScaling(pool([...busy, engine('d'), engine('e')], { floor: 3 }), LIMITS)).toMatchObject({ target: 5, start: 0 });
    });

    it('removes nothing that it wants, however idle, and what is above it as ever', () => {
      const engines = ['a', 'b', 'c', 'd'].map((id) => engine(id, IDLE));
      expect(decideScaling(pool(engines, { floor: 4 }), LIMITS).remove).toEqual([]);
      expect(decideScaling(pool(engines, { floor: 3 }), LIMITS).remove).toHaveLength(1);
      expect(decideScaling(pool(engines, { floor: 0 }), LIMITS).remove).toHaveLength(2);
    });

    it('removes no playing engine where it is lowered', () => {
      const busy = ['a', 'b', 'c', 'd'].map((id) => engine(id, { claims: 1 }));
      expect(decideScaling(pool(busy, { floor: 1 }), { ...LIMITS, minFree: 0 }).remove).toEqual([]);
    });
  });

  describe('while the pool runs hot', () => {
    const { minFree } = LIMITS;
    it.each([
      [0, 0],
      [minFree, 0],
      [minFree + 1, 1],
      [99, minFree],
    ])('with %i engines taken while one comes up it keeps %i more free', (taken, lookahead) => {
      const decision = decideScaling(pool([], { taken }), { ...LIMITS, max: 20 });
      expect(decision).toMatchObject({ lookahead, start: minFree + lookahead });
    });

    it('keeps none in advance where none is wanted free, and stays within the maximum', () => {
      expect(decideScaling(pool([], { taken: 9 }), { ...LIMITS, minFree: 0 }).start).toBe(0);
      expect(decideScaling(pool([], { taken: 9 }), { ...LIMITS, max: 3 }).start).toBe(3);
    });
  });

  it('does not shrink below what was wanted a while ago', () => {
    const engines = ['a', 'b', 'c', 'd'].map((id) => engine(id, IDLE));
    expect(decideScaling(pool(engines, { recentPeak: 4 }), LIMITS).remove).toEqual([]);
    expect(decideScaling(pool(engines, { recentPeak: 3 }), LIMITS).remove).toHaveLength(1);
    expect(decideScaling(pool(engines, { recentPeak: 9 }), { ...LIMITS, max: 3 }).remove).toHaveLength(1);
  });

  it('comes down to a maximum that was lowered, by idle engines alone', () => {
    const engines = [engine('a', { claims: 1 }), engine('b', { claims: 1 }), engine('c', IDLE), engine('d', IDLE)];
    expect(decideScaling(pool(engines), { ...LIMITS, max: 3 }).remove).toHaveLength(1);
    expect(decideScaling(pool(engines), { ...LIMITS, max: 2 }).remove.map(({ id }) => id)).toEqual(['c', 'd']);
    expect(decideScaling(pool(engines), { ...LIMITS, max: 1 }).remove.map(({ id }) => id)).toEqual(['c', 'd']);
  });

  it('calls off what it ordered and nobody waits for any more, but nothing that others ordered', () => {
    expect(decideScaling(pool([], { pending: 5, revocable: 3 }), LIMITS)).toMatchObject({ revoke: 3, start: 0 });
    expect(decideScaling(pool([], { pending: 5, revocable: 1 }), LIMITS)).toMatchObject({ revoke: 1 });
    expect(decideScaling(pool([], { pending: 5, revocable: 5, waiting: 2 }), LIMITS)).toMatchObject({ revoke: 1 });
    expect(decideScaling(pool([], { pending: 5, revocable: 5, floor: 5 }), LIMITS)).toMatchObject({ revoke: 0 });
  });

  const anyEngine = fc.record({
    lifecycle: fc.constantFrom('starting' as const, 'ready' as const, 'draining' as const),
    health: fc.constantFrom('healthy' as const, 'unhealthy' as const, 'unknown' as const),
    claims: fc.nat(2),
    held: fc.constantFrom(null, null, 'brief' as const, 'open' as const),
    idleMs: fc.nat(60_000),
    healthMs: fc.nat(90_000),
  });
  const anyPool = fc
    .record({
      engines: fc.array(anyEngine, { maxLength: 12, size: 'max' }),
      pending: fc.nat(3),
      waiting: fc.nat(6),
      startDelayMs: fc.constantFrom(0, 0, 9),
      floor: fc.constantFrom(0, 0, 3, 9),
      taken: fc.constantFrom(0, 0, 1, 9),
      recentPeak: fc.nat(9),
    })
    .map(({ engines, ...rest }) =>
      pool(
        engines.map((each, i) => engine(`e${i}`, { ...each, idleMs: each.claims > 0 ? 0 : each.idleMs })),
        { ...rest, revocable: rest.pending },
      ),
    );

  it('whatever the pool: never above the maximum, never a playing or kept engine removed, never below the free ones wanted', () => {
    fc.assert(
      fc.property(anyPool, fc.nat(4), fc.integer({ min: 4, max: 15 }), (state, minFree, max) => {
        const { start, remove, target, revoke } = decideScaling(state, { ...LIMITS, minFree, max });
        expect(state.total + start).toBeLessThanOrEqual(Math.max(max, state.total));
        expect(target).toBeLessThanOrEqual(max);
        expect(revoke).toBeLessThanOrEqual(state.revocable);
        if (start > 0) expect(revoke).toBe(0);
        const removed = new Set(remove.map(({ id }) => id));
        for (const each of state.engines) if (removed.has(each.id)) expect([each.claims, each.held]).toEqual([0, null]);
        const freeLeft = state.engines.filter(
          ({ id, lifecycle, health, claims, held }) =>
            lifecycle === 'ready' && health !== 'unhealthy' && claims === 0 && held === null && !removed.has(id),
        ).length;
        const ready = [...removed].some((id) => state.engines.find((each) => each.id === id)?.lifecycle === 'ready');
        if (ready && state.total <= max) expect(freeLeft).toBeGreaterThanOrEqual(minFree + state.waiting);
        if (ready) expect(state.total - removed.size).toBeGreaterThanOrEqual(Math.min(max, state.floor));
        if (start > 0) expect(ready).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it('one too many is called off or removed, not both', () => {
    const engines = [
      engine('idle', { idleMs: 60_000 }),
      ...Array.from({ length: 7 }, (_, i) => engine(`e${i}`, { lifecycle: 'starting' })),
    ];
    const { revoke, remove } = decideScaling(pool(engines, { pending: 2, revocable: 2, floor: 9 }), { ...LIMITS, minFree: 0, max: 20 });
    expect([revoke, remove]).toEqual([1, []]);
  });

  it('comes to rest: carrying out what it decides leaves nothing to start or remove', () => {
    fc.assert(
      fc.property(anyPool, fc.nat(3), (state, minFree) => {
        // Room for all that may be wanted beside those that are still leaving.
        const limits = { ...LIMITS, minFree, max: 40 };
        const { start, remove, revoke } = decideScaling({ ...state, startDelayMs: 0 }, limits);
        const removed = new Set(remove.map(({ id }) => id));
        const engines = state.engines
          .filter(({ id }) => !removed.has(id))
          .concat(Array.from({ length: start }, (_, i) => engine(`new${i}`)));
        const { floor, taken, recentPeak, waiting } = state;
        const after = decideScaling(pool(engines, { pending: state.pending - revoke, waiting, floor, taken, recentPeak }), limits);
        expect([after.start, after.remove, after.revoke]).toEqual([0, [], 0]);
      }),
      { numRuns: 1000 },
    );
  });
});
