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
    manualMinimum: 0,
    taken: 0,
    recentPeak: 0,
    startDelayMs: 0,
    ...overrides,
  };
}

const IDLE = { idleMs: 40_000 };

describe('the scaling policy', () => {
  it('fills an empty pool up to the minimum of free engines', () => {
    expect(decideScaling(pool([]), LIMITS)).toMatchObject({ target: 2, start: 2, remove: [], limited: false });
  });

  it('starts nothing when enough engines are starting or requested', () => {
    expect(decideScaling(pool([engine('a', { lifecycle: 'starting' })], { pending: 1 }), LIMITS).start).toBe(0);
  });

  it('starts one engine for each waiting request, in addition to the free ones', () => {
    expect(decideScaling(pool([], { waiting: 2 }), LIMITS)).toMatchObject({ start: 4, target: 4 });
  });

  it('starts an engine for a waiting request with a minimum of 0', () => {
    expect(decideScaling(pool([], { waiting: 1 }), { ...LIMITS, minFree: 0 }).start).toBe(1);
  });

  it('starts a new free engine when one was taken', () => {
    expect(decideScaling(pool([engine('a', { claims: 1 }), engine('b')]), LIMITS)).toMatchObject({ target: 3, start: 1 });
  });

  it('never exceeds the maximum, and reports limited only when a waiting request gets no engine', () => {
    const busy = ['a', 'b', 'c', 'd'].map((id) => engine(id, { claims: 1 }));
    expect(decideScaling(pool(busy, { waiting: 1 }), LIMITS)).toMatchObject({ start: 1, target: 5, limited: false });
    expect(decideScaling(pool([...busy, engine('e', { claims: 1 })], { waiting: 1 }), LIMITS)).toMatchObject({ start: 0, limited: true });
  });

  it('reports limited, too, when the waiting request cannot use the engines that are free', () => {
    // Every free engine that suits was leased before: its content failed on this one, for example.
    expect(decideScaling(pool([engine('a')], { waiting: 1 }), { ...LIMITS, minFree: 1, max: 1 })).toMatchObject({
      start: 0,
      limited: true,
    });
    expect(decideScaling(pool([engine('a')], { waiting: 1 }), { ...LIMITS, minFree: 1, max: 2 })).toMatchObject({
      start: 1,
      limited: false,
    });
  });

  it('counts neither an unhealthy nor a draining engine as free', () => {
    const engines = [engine('a', { health: 'unhealthy' }), engine('b', { lifecycle: 'draining', claims: 1 })];
    expect(decideScaling(pool(engines), LIMITS).start).toBe(2);
  });

  it('starts nothing in place of engines cordoned for seconds, but does for engines in quarantine', () => {
    expect(decideScaling(pool([engine('a', { cordon: 'brief' }), engine('b', { cordon: 'brief' })]), LIMITS).start).toBe(0);
    expect(decideScaling(pool([engine('a', { cordon: 'open' }), engine('b', { cordon: 'open' })]), LIMITS).start).toBe(2);
  });

  it('starts nothing during the delay after a failed start', () => {
    expect(decideScaling(pool([], { startDelayMs: 1 }), LIMITS).start).toBe(0);
    expect(decideScaling(pool([], { startDelayMs: 700 }), LIMITS)).toMatchObject({ start: 0, target: 2 });
  });

  it('removes surplus engines after their grace period, the longest idle first', () => {
    const engines = [
      engine('new', { idleMs: 1000 }),
      engine('old', { idleMs: 90_000 }),
      engine('older', { idleMs: 99_000 }),
      engine('d', IDLE),
    ];
    expect(decideScaling(pool(engines), LIMITS).remove.map(({ id }) => id)).toEqual(['older', 'old']);
  });

  it('removes equal engines in the order of their ids, whatever the order of the pool is', () => {
    const idle = (...ids: string[]) =>
      decideScaling(pool(ids.map((id) => engine(id, { idleMs: LIMITS.idleGraceMs }))), LIMITS).remove.map(({ id }) => id);
    expect(idle('a', 'b', 'c')).toEqual(['a']);
    expect(idle('c', 'b', 'a')).toEqual(['a']);
  });

  it('removes no free engine while a request waits', () => {
    const engines = ['a', 'b', 'c'].map((id) => engine(id, IDLE));
    expect(decideScaling(pool(engines, { waiting: 1 }), LIMITS).remove).toEqual([]);
  });

  it('removes a draining engine when nothing plays on it, or at its deadline', () => {
    const draining = (claims: number, deadlineMs: number) =>
      decideScaling(pool([engine('a', { lifecycle: 'draining', claims, drain: { reason: 'unhealthy', deadlineMs } })]), LIMITS).remove;
    expect(draining(1, 1)).toEqual([]);
    expect(draining(0, 5)).toHaveLength(1);
    expect(draining(1, 0)).toHaveLength(1);
  });

  describe('with a manual minimum', () => {
    it('starts up to it, within the maximum', () => {
      expect(decideScaling(pool([engine('a')], { manualMinimum: 4 }), LIMITS)).toMatchObject({ target: 4, start: 3 });
      expect(decideScaling(pool([], { manualMinimum: 40 }), LIMITS)).toMatchObject({ target: 5, start: 5 });
    });

    it('adds nothing when more engines are in use anyway', () => {
      const busy = ['a', 'b', 'c'].map((id) => engine(id, { claims: 1 }));
      expect(decideScaling(pool([...busy, engine('d'), engine('e')], { manualMinimum: 3 }), LIMITS)).toMatchObject({ target: 5, start: 0 });
    });

    it('keeps idle engines up to it and removes surplus engines above it', () => {
      const engines = ['a', 'b', 'c', 'd'].map((id) => engine(id, IDLE));
      expect(decideScaling(pool(engines, { manualMinimum: 4 }), LIMITS).remove).toEqual([]);
      expect(decideScaling(pool(engines, { manualMinimum: 3 }), LIMITS).remove).toHaveLength(1);
      expect(decideScaling(pool(engines, { manualMinimum: 0 }), LIMITS).remove).toHaveLength(2);
    });

    it('keeps none without one', () => {
      expect(decideScaling(pool([], { manualMinimum: null }), { ...LIMITS, minFree: 0 })).toMatchObject({ target: 0, start: 0 });
    });

    it('removes no playing engine when it is lowered', () => {
      const busy = ['a', 'b', 'c', 'd'].map((id) => engine(id, { claims: 1 }));
      expect(decideScaling(pool(busy, { manualMinimum: 1 }), { ...LIMITS, minFree: 0 }).remove).toEqual([]);
    });
  });

  describe('while many engines are taken', () => {
    const { minFree } = LIMITS;
    it.each([
      [0, 0],
      [minFree, 0],
      [minFree + 1, 1],
      [99, minFree],
    ])('with %i engines taken during one startup time it keeps %i more free', (taken, lookahead) => {
      const decision = decideScaling(pool([], { taken }), { ...LIMITS, max: 20 });
      expect(decision).toMatchObject({ lookahead, start: minFree + lookahead });
    });

    it('keeps none in advance with a minimum of 0, and stays within the maximum', () => {
      expect(decideScaling(pool([], { taken: 9 }), { ...LIMITS, minFree: 0 }).start).toBe(0);
      expect(decideScaling(pool([], { taken: 9 }), { ...LIMITS, max: 3 }).start).toBe(3);
    });
  });

  it('does not shrink below the recent peak', () => {
    const engines = ['a', 'b', 'c', 'd'].map((id) => engine(id, IDLE));
    expect(decideScaling(pool(engines, { recentPeak: 4 }), LIMITS).remove).toEqual([]);
    expect(decideScaling(pool(engines, { recentPeak: 3 }), LIMITS).remove).toHaveLength(1);
    expect(decideScaling(pool(engines, { recentPeak: 9 }), { ...LIMITS, max: 3 }).remove).toHaveLength(1);
  });

  it('shrinks to a lowered maximum by removing idle engines only', () => {
    const engines = [engine('a', { claims: 1 }), engine('b', { claims: 1 }), engine('c', IDLE), engine('d', IDLE)];
    expect(decideScaling(pool(engines), { ...LIMITS, max: 3 }).remove).toHaveLength(1);
    expect(decideScaling(pool(engines), { ...LIMITS, max: 2 }).remove.map(({ id }) => id)).toEqual(['c', 'd']);
    expect(decideScaling(pool(engines), { ...LIMITS, max: 1 }).remove.map(({ id }) => id)).toEqual(['c', 'd']);
  });

  it('counts engines that died and are not cleared yet neither as free nor as surplus', () => {
    const ONE = { ...LIMITS, minFree: 1, max: 1 };
    expect(decideScaling(pool([engine('a', IDLE)], { total: 6 }), ONE)).toMatchObject({ target: 1, start: 0, remove: [] });
    const six = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => engine(id, IDLE));
    expect(decideScaling(pool(six, { total: 8 }), ONE).remove).toHaveLength(5);
    // They keep their places and ports: no engine is started in their place before they are cleared.
    expect(decideScaling(pool([], { total: 1 }), ONE)).toMatchObject({ target: 1, start: 0 });
    expect(decideScaling(pool([], { total: 1, manualMinimum: 3 }), LIMITS)).toMatchObject({ target: 3, start: 3 });
  });

  it('revokes its own queued starts that are no longer needed, and no others', () => {
    expect(decideScaling(pool([], { pending: 5, revocable: 3 }), LIMITS)).toMatchObject({ revoke: 3, start: 0 });
    expect(decideScaling(pool([], { pending: 5, revocable: 1 }), LIMITS)).toMatchObject({ revoke: 1 });
    expect(decideScaling(pool([], { pending: 5, revocable: 5, waiting: 2 }), LIMITS)).toMatchObject({ revoke: 1 });
    expect(decideScaling(pool([], { pending: 5, revocable: 5, manualMinimum: 5 }), LIMITS)).toMatchObject({ revoke: 0 });
  });

  it('revokes no queued start that a request waits for, even above a lowered maximum', () => {
    const busy = ['a', 'b', 'c', 'd', 'e'].map((id) => engine(id, { claims: 1 }));
    expect(decideScaling(pool(busy, { pending: 2, revocable: 2, waiting: 2 }), { ...LIMITS, minFree: 0 }).revoke).toBe(0);
  });

  it.each<[string, PoolEngine[], Partial<PoolState>, Partial<PoolLimits>, string[]]>([
    ['nothing when nothing is to do', [engine('a'), engine('b')], {}, {}, []],
    [
      'the engines to start',
      [engine('a')],
      { pending: 0 },
      {},
      ['engines to start: 1 (requests waiting: 0, engines to keep free: 2, free now: 1, free soon: 0)'],
    ],
    [
      'the limit only when more engines are needed than it allows',
      [],
      {},
      { max: 2 },
      ['engines to start: 2 (requests waiting: 0, engines to keep free: 2, free now: 0, free soon: 0)'],
    ],
    [
      'the limit when it allows too few',
      [engine('a', { claims: 1 })],
      { waiting: 2 },
      { max: 2 },
      [
        'engines to start: 1 (requests waiting: 2, engines to keep free: 2, free now: 0, free soon: 0)',
        '3 more needed than the limit of 2 engines allows',
      ],
    ],
    [
      'the manual minimum',
      [engine('a'), engine('b'), engine('c', { lifecycle: 'starting' })],
      { manualMinimum: 4 },
      {},
      [
        'engines to start: 1 (requests waiting: 0, engines to keep free: 2, free now: 2, free soon: 1; the manual minimum is 4, and 3 engines exist)',
      ],
    ],
    [
      'the engines that are kept because many were leased',
      [],
      { taken: 3 },
      {},
      [
        'engines to start: 3 (requests waiting: 0, engines to keep free: 3, free now: 0, free soon: 0)',
        '1 more engines kept free: 3 were leased in the time that an engine needs to start',
      ],
    ],
    [
      'the delay after a failed start',
      [engine('a')],
      { startDelayMs: 9 },
      {},
      ['1 needed, but the last start failed: the next start follows after a delay'],
    ],
    ['the cancelled starts', [], { pending: 3, revocable: 3 }, {}, ['1 queued starts cancelled: no longer needed']],
    [
      'each engine to remove',
      [engine('a', { idleMs: 40_000 }), engine('b'), engine('c'), engine('d', { lifecycle: 'draining' })],
      {},
      {},
      ['d: drained, nothing plays on it', 'a: surplus, idle for 40 s'],
    ],
  ])('gives its reasons: %s', (_what, engines, state, limits, reasons) => {
    expect(decideScaling(pool(engines, state), { ...LIMITS, ...limits }).reasons).toEqual(reasons);
  });

  const anyEngine = fc.record({
    lifecycle: fc.constantFrom('starting' as const, 'ready' as const, 'draining' as const),
    health: fc.constantFrom('healthy' as const, 'unhealthy' as const, 'unknown' as const),
    claims: fc.nat(2),
    cordon: fc.constantFrom(null, null, 'brief' as const, 'open' as const),
    idleMs: fc.nat(60_000),
    healthMs: fc.nat(90_000),
  });
  const anyPool = fc
    .record({
      engines: fc.array(anyEngine, { maxLength: 12, size: 'max' }),
      pending: fc.nat(3),
      waiting: fc.nat(6),
      startDelayMs: fc.constantFrom(0, 0, 9),
      manualMinimum: fc.constantFrom(0, 0, 3, 9),
      taken: fc.constantFrom(0, 0, 1, 9),
      recentPeak: fc.nat(9),
      dead: fc.constantFrom(0, 0, 1, 6),
    })
    .map(({ engines, dead, ...rest }) =>
      pool(
        engines.map((each, i) => engine(`e${i}`, { ...each, idleMs: each.claims > 0 ? 0 : each.idleMs })),
        { ...rest, revocable: rest.pending, total: engines.length + rest.pending + dead },
      ),
    );

  it('for any pool: never exceeds the maximum, never removes a playing or cordoned engine, never goes below the needed free engines', () => {
    fc.assert(
      fc.property(anyPool, fc.nat(4), fc.integer({ min: 4, max: 15 }), (state, minFree, max) => {
        const { start, remove, target, revoke } = decideScaling(state, { ...LIMITS, minFree, max });
        expect(state.total + start).toBeLessThanOrEqual(Math.max(max, state.total));
        expect(target).toBeLessThanOrEqual(max);
        expect(revoke).toBeLessThanOrEqual(state.revocable);
        if (start > 0) expect(revoke).toBe(0);
        const removed = new Set(remove.map(({ id }) => id));
        for (const each of state.engines) if (removed.has(each.id)) expect([each.claims, each.cordon]).toEqual([0, null]);
        const freeLeft = state.engines.filter(
          ({ id, lifecycle, health, claims, cordon }) =>
            lifecycle === 'ready' && health !== 'unhealthy' && claims === 0 && cordon === null && !removed.has(id),
        ).length;
        const ready = [...removed].some((id) => state.engines.find((each) => each.id === id)?.lifecycle === 'ready');
        const alive = state.engines.length + state.pending;
        if (ready && alive <= max) expect(freeLeft).toBeGreaterThanOrEqual(minFree + state.waiting);
        if (ready) expect(alive - removed.size).toBeGreaterThanOrEqual(Math.min(max, state.manualMinimum ?? 0));
        if (start > 0) expect(ready).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it('a surplus of one is revoked or removed, not both', () => {
    const engines = [
      engine('idle', { idleMs: 60_000 }),
      ...Array.from({ length: 7 }, (_, i) => engine(`e${i}`, { lifecycle: 'starting' })),
    ];
    const { revoke, remove } = decideScaling(pool(engines, { pending: 2, revocable: 2, manualMinimum: 9 }), {
      ...LIMITS,
      minFree: 0,
      max: 20,
    });
    expect([revoke, remove]).toEqual([1, []]);
  });

  it('converges: after its decision is applied there is nothing to start or remove', () => {
    fc.assert(
      fc.property(anyPool, fc.nat(3), (state, minFree) => {
        // Room for every needed engine beside those that are still draining.
        const limits = { ...LIMITS, minFree, max: 40 };
        const { start, remove, revoke } = decideScaling({ ...state, startDelayMs: 0 }, limits);
        const removed = new Set(remove.map(({ id }) => id));
        const engines = state.engines
          .filter(({ id }) => !removed.has(id))
          .concat(Array.from({ length: start }, (_, i) => engine(`new${i}`)));
        const { manualMinimum, taken, recentPeak, waiting } = state;
        const after = decideScaling(pool(engines, { pending: state.pending - revoke, waiting, manualMinimum, taken, recentPeak }), limits);
        expect([after.start, after.remove, after.revoke]).toEqual([0, [], 0]);
      }),
      { numRuns: 1000 },
    );
  });
});
