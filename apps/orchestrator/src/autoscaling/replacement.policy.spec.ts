import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aPoolEngine as engine } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { countReplacements, planReplacement, type ReplacementLimits, type ReplacementState } from './replacement.policy.js';
import type { PoolEngine } from './scaling.policy.js';

const LIMITS: ReplacementLimits = { minHealthy: 2, max: 6, graceMs: 60_000, cooldownMs: 60_000 };

const UNHEALTHY = { health: 'unhealthy', healthMs: 60_000 } as const;
const HEALTHY = [engine('w1'), engine('w2')];

function state(engines: PoolEngine[], overrides: Partial<ReplacementState> = {}): ReplacementState {
  return { engines, pending: 0, total: engines.length, sinceLastMs: Infinity, blocked: null, ...overrides };
}

describe('the replacement of unhealthy engines', () => {
  it('does nothing when all engines are healthy', () => {
    expect(planReplacement(state(HEALTHY), LIMITS)).toEqual({ drain: null, waitsFor: null, dueInMs: null });
  });

  it('starts after the grace period', () => {
    expect(planReplacement(state([...HEALTHY, engine('a', { ...UNHEALTHY, healthMs: 59_000 })]), LIMITS)).toMatchObject({
      drain: null,
      dueInMs: 1000,
    });
    expect(planReplacement(state([...HEALTHY, engine('a', UNHEALTHY)]), LIMITS).drain).toEqual({ id: 'a', reason: 'unhealthy' });
  });

  it('names the earliest end of a grace period', () => {
    const sick = [engine('a', { ...UNHEALTHY, healthMs: 10_000 }), engine('b', { ...UNHEALTHY, healthMs: 50_000 })];
    expect(planReplacement(state([...HEALTHY, ...sick]), LIMITS)).toEqual({
      drain: null,
      waitsFor: 'the end of the grace period',
      dueInMs: 10_000,
    });
  });

  it('drains equal engines in the order of their ids, and the others wait for it and its cooldown', () => {
    for (const sick of [
      [engine('a', UNHEALTHY), engine('b', UNHEALTHY)],
      [engine('b', UNHEALTHY), engine('a', UNHEALTHY)],
    ])
      expect(planReplacement(state([...HEALTHY, ...sick]), LIMITS)).toEqual({
        drain: { id: 'a', reason: 'unhealthy' },
        waitsFor: 'the current replacement',
        dueInMs: 60_000,
      });
    expect(planReplacement(state([...HEALTHY, engine('a', UNHEALTHY)]), LIMITS)).toMatchObject({ waitsFor: null, dueInMs: null });
  });

  it('drains one at a time: idle ones first, then the longest unhealthy', () => {
    const unhealthy = [
      engine('busy', { ...UNHEALTHY, claims: 1 }),
      engine('a', UNHEALTHY),
      engine('b', { ...UNHEALTHY, healthMs: 70_000 }),
    ];
    expect(planReplacement(state([...HEALTHY, ...unhealthy]), LIMITS)).toMatchObject({
      drain: { id: 'b' },
      waitsFor: 'the current replacement',
    });
    const going = engine('b', { lifecycle: 'draining', health: 'unhealthy', drain: { reason: 'unhealthy', deadlineMs: 1 } });
    expect(planReplacement(state([...HEALTHY, engine('a', UNHEALTHY), going]), LIMITS)).toMatchObject({ drain: null });
    const other = engine('c', { lifecycle: 'draining', drain: { reason: 'surplus', deadlineMs: 1 } });
    expect(planReplacement(state([...HEALTHY, engine('a', UNHEALTHY), other]), LIMITS).drain).not.toBeNull();
  });

  it('waits for the cooldown between two drains', () => {
    const unhealthy = [...HEALTHY, engine('a', UNHEALTHY)];
    expect(planReplacement(state(unhealthy, { sinceLastMs: 20_000 }), LIMITS)).toEqual({
      drain: null,
      waitsFor: 'the end of the cooldown',
      dueInMs: 40_000,
    });
    expect(planReplacement(state(unhealthy, { sinceLastMs: 60_000 }), LIMITS).drain).not.toBeNull();
  });

  it('drains none while too few are healthy and better ones may come', () => {
    const unhealthy = [engine('w1'), engine('a', UNHEALTHY), engine('b', UNHEALTHY)];
    expect(planReplacement(state(unhealthy), LIMITS)).toMatchObject({ drain: null, waitsFor: 'more healthy engines: 1 of 2' });
    expect(
      planReplacement(state([...unhealthy, engine('new', { lifecycle: 'starting', health: 'unknown' })]), { ...LIMITS, max: 4 }).drain,
    ).toBeNull();
  });

  it('drains one to make room when the maximum is reached and all are unhealthy', () => {
    const unhealthy = ['a', 'b', 'c'].map((id, index) => engine(id, { ...UNHEALTHY, claims: index }));
    expect(planReplacement(state(unhealthy), { ...LIMITS, max: 3 }).drain).toMatchObject({ id: 'a' });
    expect(planReplacement(state(unhealthy, { blocked: 'Docker is away' }), { ...LIMITS, max: 3 })).toMatchObject({
      drain: null,
      waitsFor: 'a new engine, which cannot be started: Docker is away',
    });
  });

  it('drains a playing engine only when its stream can move, or no better engine can come', () => {
    const full = [engine('w1', { claims: 1 }), engine('w2', { claims: 1 }), engine('a', { ...UNHEALTHY, claims: 1 })];
    expect(planReplacement(state(full), LIMITS)).toMatchObject({ drain: null, waitsFor: 'a free engine for their streams' });
    expect(planReplacement(state([...full, engine('free')]), LIMITS).drain).toMatchObject({ id: 'a' });
    expect(planReplacement(state(full), { ...LIMITS, max: 3 }).drain).toMatchObject({ id: 'a' });
  });

  it('for any pool: drains only unhealthy engines after their grace period, and never goes below the minimum of healthy ones while better ones may come', () => {
    const anyEngine = fc.record({
      lifecycle: fc.constantFrom('starting' as const, 'ready' as const, 'draining' as const),
      health: fc.constantFrom('healthy' as const, 'unhealthy' as const, 'unknown' as const),
      claims: fc.nat(2),
      cordon: fc.constantFrom(null, null, 'brief' as const, 'open' as const),
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

describe('the number of replacements among the starts', () => {
  const unhealthy = [engine('a', UNHEALTHY), engine('b', { lifecycle: 'draining', drain: { reason: 'unhealthy', deadlineMs: 1 } })];

  it.each([
    ['one for each unhealthy engine', 3, 0, 0, 2],
    ['none when nothing is started', 0, 0, 0, 0],
    ['waiting requests come first', 3, 2, 0, 1],
    ['no second one for the same engine', 3, 0, 1, 1],
    ['never negative', 1, 5, 9, 0],
  ])('%s', (_what, start, waiting, inProgress, replacements) => {
    expect(countReplacements(start, { engines: unhealthy, waiting }, inProgress)).toBe(replacements);
  });
});
