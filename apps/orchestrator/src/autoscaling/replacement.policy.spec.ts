import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aPoolEngine as engine } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { planReplacement, replacementsAmong, type ReplacementLimits, type ReplacementState } from './replacement.policy.js';
import type { PoolEngine } from './scaling.policy.js';

const LIMITS: ReplacementLimits = { minHealthy: 2, max: 6, graceMs: 60_000, cooldownMs: 60_000 };

const ILL = { health: 'unhealthy', healthMs: 60_000 } as const;
const WELL = [engine('w1'), engine('w2')];

function state(engines: PoolEngine[], overrides: Partial<ReplacementState> = {}): ReplacementState {
  return { engines, pending: 0, total: engines.length, sinceLastMs: Infinity, blocked: null, ...overrides };
}

describe('the replacement of unhealthy engines', () => {
  it('has nothing to do where all are well', () => {
    expect(planReplacement(state(WELL), LIMITS)).toEqual({ drain: null, waitsFor: null, dueInMs: null });
  });

  it('begins after the grace, not before', () => {
    expect(planReplacement(state([...WELL, engine('a', { ...ILL, healthMs: 59_000 })]), LIMITS)).toMatchObject({
      drain: null,
      dueInMs: 1000,
    });
    expect(planReplacement(state([...WELL, engine('a', ILL)]), LIMITS).drain).toEqual({ id: 'a', reason: 'unhealthy' });
  });

  it('takes one at a time, the idle ones first, then the ones ill for longest', () => {
    const ill = [engine('busy', { ...ILL, claims: 1 }), engine('a', ILL), engine('b', { ...ILL, healthMs: 70_000 })];
    expect(planReplacement(state([...WELL, ...ill]), LIMITS)).toMatchObject({ drain: { id: 'b' }, waitsFor: 'their turn' });
    const going = engine('b', { lifecycle: 'draining', health: 'unhealthy', drain: { reason: 'unhealthy', deadlineMs: 1 } });
    expect(planReplacement(state([...WELL, engine('a', ILL), going]), LIMITS)).toMatchObject({ drain: null });
    const other = engine('c', { lifecycle: 'draining', drain: { reason: 'surplus', deadlineMs: 1 } });
    expect(planReplacement(state([...WELL, engine('a', ILL), other]), LIMITS).drain).not.toBeNull();
  });

  it('keeps the cooldown between two', () => {
    const ill = [...WELL, engine('a', ILL)];
    expect(planReplacement(state(ill, { sinceLastMs: 20_000 }), LIMITS)).toEqual({
      drain: null,
      waitsFor: 'the cooldown',
      dueInMs: 40_000,
    });
    expect(planReplacement(state(ill, { sinceLastMs: 60_000 }), LIMITS).drain).not.toBeNull();
  });

  it('gives none up while too few are healthy and better ones may come', () => {
    const ill = [engine('w1'), engine('a', ILL), engine('b', ILL)];
    expect(planReplacement(state(ill), LIMITS)).toMatchObject({ drain: null, waitsFor: 'healthy engines, 1 of 2' });
    expect(
      planReplacement(state([...ill, engine('new', { lifecycle: 'starting', health: 'unknown' })]), { ...LIMITS, max: 4 }).drain,
    ).toBeNull();
  });

  it('makes room by an ill one where all there may be are ill', () => {
    const ill = ['a', 'b', 'c'].map((id, index) => engine(id, { ...ILL, claims: index }));
    expect(planReplacement(state(ill), { ...LIMITS, max: 3 }).drain).toMatchObject({ id: 'a' });
    expect(planReplacement(state(ill, { blocked: 'Docker is away' }), { ...LIMITS, max: 3 })).toMatchObject({
      drain: null,
      waitsFor: 'engines that can be started: Docker is away',
    });
  });

  it('leaves a playing one alone until its stream has somewhere to go, or nothing better can come', () => {
    const full = [engine('w1', { claims: 1 }), engine('w2', { claims: 1 }), engine('a', { ...ILL, claims: 1 })];
    expect(planReplacement(state(full), LIMITS)).toMatchObject({ drain: null, waitsFor: 'a free engine that its streams can move to' });
    expect(planReplacement(state([...full, engine('free')]), LIMITS).drain).toMatchObject({ id: 'a' });
    expect(planReplacement(state(full), { ...LIMITS, max: 3 }).drain).toMatchObject({ id: 'a' });
  });

  it('whatever the pool: only ill ones past their grace, and never below the minimum of healthy ones while better ones may come', () => {
    const anyEngine = fc.record({
      lifecycle: fc.constantFrom('starting' as const, 'ready' as const, 'draining' as const),
      health: fc.constantFrom('healthy' as const, 'unhealthy' as const, 'unknown' as const),
      claims: fc.nat(2),
      held: fc.constantFrom(null, null, 'brief' as const, 'open' as const),
      healthMs: fc.nat(120_000),
    });
    fc.assert(
      fc.property(fc.array(anyEngine, { maxLength: 8 }), fc.nat(200_000), fc.nat(4), (engines, sinceLastMs, minHealthy) => {
        const described = engines.map((each, index) =>
          engine(`e${index}`, { ...each, drain: each.lifecycle === 'draining' ? { reason: 'unhealthy', deadlineMs: 1 } : null }),
        );
        const { drain } = planReplacement(state(described, { sinceLastMs }), { ...LIMITS, max: 20, minHealthy });
        if (!drain) return;
        const chosen = described.find(({ id }) => id === drain.id);
        expect(chosen).toMatchObject({ lifecycle: 'ready', health: 'unhealthy' });
        expect(chosen?.healthMs).toBeGreaterThanOrEqual(LIMITS.graceMs);
        expect(sinceLastMs).toBeGreaterThanOrEqual(LIMITS.cooldownMs);
        expect(described.some(({ lifecycle }) => lifecycle === 'draining')).toBe(false);
        expect(described.filter(({ lifecycle, health }) => lifecycle === 'ready' && health === 'healthy').length).toBeGreaterThanOrEqual(
          minHealthy,
        );
      }),
      { numRuns: 2000 },
    );
  });
});

describe('which starts are replacements', () => {
  const ill = [engine('a', ILL), engine('b', { lifecycle: 'draining', drain: { reason: 'unhealthy', deadlineMs: 1 } })];

  it.each([
    ['one for each ill one', 3, 0, 0, 2],
    ['none where nothing is started', 0, 0, 0, 0],
    ['callers who wait come first', 3, 2, 0, 1],
    ['none twice', 3, 0, 1, 1],
    ['not below none', 1, 5, 9, 0],
  ])('%s', (_what, start, waiting, underWay, replacements) => {
    expect(replacementsAmong(start, { engines: ill, waiting }, underWay)).toBe(replacements);
  });
});
