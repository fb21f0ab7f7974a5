import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Search, engineWaitMs, planSearch, remainingMs, attemptLimitMs } from './failover.plan.js';

const LIMITS = { emptyTimeoutMs: 60_000, failoverPauseMs: 250, failoverPauseMaxMs: 5000 };
const LOST: Search = { lost: true, silentMs: 0, searchingMs: 0, attempts: 0, cooldownMs: Infinity };

describe('the search for another engine', () => {
  it('begins at once, and slows down to one try in 5 s', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 6, 50].map((attempts) => planSearch({ ...LOST, attempts }, LIMITS));
    expect(pauses.map((plan) => plan.step === 'try' && plan.pauseMs)).toEqual([0, 250, 500, 1000, 2000, 4000, 5000, 5000]);
  });

  it('takes its pauses from the settings', () => {
    const limits = { ...LIMITS, failoverPauseMs: 100, failoverPauseMaxMs: 300 };
    const pauses = [0, 1, 2, 3, 4].map((attempts) => planSearch({ ...LOST, attempts }, limits));
    expect(pauses.map((plan) => plan.step === 'try' && plan.pauseMs)).toEqual([0, 100, 200, 300, 300]);
  });

  it('does not begin when its time limit is 0', () => {
    expect(planSearch(LOST, { ...LIMITS, emptyTimeoutMs: 0 }).step).toBe('give-up');
  });

  it('does not pause beyond the time when an excluded engine may be tried again', () => {
    expect(planSearch({ ...LOST, attempts: 6, cooldownMs: 1200 }, LIMITS)).toEqual({ step: 'try', pauseMs: 1200 });
    expect(planSearch({ ...LOST, attempts: 6, cooldownMs: 3 }, LIMITS)).toEqual({ step: 'try', pauseMs: 250 });
    expect(engineWaitMs({ ...LOST, cooldownMs: 1500 }, LIMITS)).toBe(1500);
    expect(engineWaitMs({ ...LOST, lost: false, cooldownMs: 3000 }, LIMITS)).toBe(3000);
    expect(engineWaitMs(LOST, LIMITS)).toBe(60_000);
  });

  it('waits 2 s for a fresh engine while viewers have no bytes, and then takes any', () => {
    expect(engineWaitMs({ ...LOST, cooldownMs: 40_000 }, LIMITS)).toBe(2000);
  });

  it('ends when viewers had no bytes for the whole limit, however long the search has lasted', () => {
    expect(planSearch({ ...LOST, silentMs: 59_999 }, LIMITS).step).toBe('try');
    expect(planSearch({ ...LOST, silentMs: 60_000 }, LIMITS).step).toBe('give-up');
    expect(planSearch({ ...LOST, searchingMs: 600_000, silentMs: 100 }, LIMITS).step).toBe('try');
  });

  it('ends after a minute when the old engine still plays, whatever the limit of a loss is', () => {
    expect(planSearch({ ...LOST, lost: false, searchingMs: 59_999 }, { ...LIMITS, emptyTimeoutMs: 1 }).step).toBe('try');
    expect(planSearch({ ...LOST, lost: false, searchingMs: 60_000 }, LIMITS).step).toBe('give-up');
  });

  it('gives one engine at most half of the limit', () => {
    expect(attemptLimitMs(LOST, LIMITS)).toBe(30_000);
    expect(attemptLimitMs({ ...LOST, silentMs: 50_000 }, LIMITS)).toBe(10_000);
    expect(attemptLimitMs(LOST, { ...LIMITS, emptyTimeoutMs: 12_000 })).toBe(10_000);
  });

  it('never waits longer for an engine than there is time left, except for the shortest request', () => {
    const search = fc.record({
      lost: fc.boolean(),
      silentMs: fc.nat({ max: 120_000 }),
      searchingMs: fc.nat({ max: 120_000 }),
      attempts: fc.nat({ max: 100 }),
      cooldownMs: fc.oneof(fc.constant(Infinity), fc.nat({ max: 60_000 })),
    });
    fc.assert(
      fc.property(search, (one) => {
        expect(engineWaitMs(one, LIMITS)).toBeLessThanOrEqual(Math.max(500, remainingMs(one, LIMITS)));
      }),
    );
  });
});
