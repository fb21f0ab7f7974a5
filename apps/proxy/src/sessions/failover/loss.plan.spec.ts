import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Search, engineWaitMs, planSearch, remainingMs, tryLimitMs } from './loss.plan.js';

const LIMITS = { emptyTimeoutMs: 60_000, failoverPauseMs: 250, failoverPauseMaxMs: 5000 };
const LOST: Search = { lost: true, silentMs: 0, searchingMs: 0, tries: 0, pardonMs: Infinity };

describe('the search for another engine', () => {
  it('begins at once, and slows down to one try in 5 s', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 6, 50].map((tries) => planSearch({ ...LOST, tries }, LIMITS));
    expect(pauses.map((plan) => plan.step === 'try' && plan.pauseMs)).toEqual([0, 250, 500, 1000, 2000, 4000, 5000, 5000]);
  });

  it('takes its pauses from the settings', () => {
    const limits = { ...LIMITS, failoverPauseMs: 100, failoverPauseMaxMs: 300 };
    const pauses = [0, 1, 2, 3, 4].map((tries) => planSearch({ ...LOST, tries }, limits));
    expect(pauses.map((plan) => plan.step === 'try' && plan.pauseMs)).toEqual([0, 100, 200, 300, 300]);
  });

  it('is not begun where there is no budget', () => {
    expect(planSearch(LOST, { ...LIMITS, emptyTimeoutMs: 0 }).step).toBe('give-up');
  });

  it('does not sleep past the moment at which an engine that failed may be asked again', () => {
    expect(planSearch({ ...LOST, tries: 6, pardonMs: 1200 }, LIMITS)).toEqual({ step: 'try', pauseMs: 1200 });
    expect(planSearch({ ...LOST, tries: 6, pardonMs: 3 }, LIMITS)).toEqual({ step: 'try', pauseMs: 250 });
    expect(engineWaitMs({ ...LOST, pardonMs: 1500 }, LIMITS)).toBe(1500);
    expect(engineWaitMs({ ...LOST, lost: false, pardonMs: 3000 }, LIMITS)).toBe(3000);
    expect(engineWaitMs(LOST, LIMITS)).toBe(60_000);
  });

  it('while viewers have nothing waits 2 s for one that has not failed, and then takes what there is', () => {
    expect(engineWaitMs({ ...LOST, pardonMs: 40_000 }, LIMITS)).toBe(2000);
  });

  it('ends when viewers have had nothing for the whole budget, however long it has been going on', () => {
    expect(planSearch({ ...LOST, silentMs: 59_999 }, LIMITS).step).toBe('try');
    expect(planSearch({ ...LOST, silentMs: 60_000 }, LIMITS).step).toBe('give-up');
    expect(planSearch({ ...LOST, searchingMs: 600_000, silentMs: 100 }, LIMITS).step).toBe('try');
  });

  it('for a move ends after a minute, whatever the budget of a loss', () => {
    expect(planSearch({ ...LOST, lost: false, searchingMs: 59_999 }, { ...LIMITS, emptyTimeoutMs: 1 }).step).toBe('try');
    expect(planSearch({ ...LOST, lost: false, searchingMs: 60_000 }, LIMITS).step).toBe('give-up');
  });

  it('gives one engine half of the budget at the most', () => {
    expect(tryLimitMs(LOST, LIMITS)).toBe(30_000);
    expect(tryLimitMs({ ...LOST, silentMs: 50_000 }, LIMITS)).toBe(10_000);
    expect(tryLimitMs(LOST, { ...LIMITS, emptyTimeoutMs: 12_000 })).toBe(10_000);
  });

  it('never waits longer for an engine than there is time, but for the shortest question', () => {
    const search = fc.record({
      lost: fc.boolean(),
      silentMs: fc.nat({ max: 120_000 }),
      searchingMs: fc.nat({ max: 120_000 }),
      tries: fc.nat({ max: 100 }),
      pardonMs: fc.oneof(fc.constant(Infinity), fc.nat({ max: 60_000 })),
    });
    fc.assert(
      fc.property(search, (one) => {
        expect(engineWaitMs(one, LIMITS)).toBeLessThanOrEqual(Math.max(500, remainingMs(one, LIMITS)));
      }),
    );
  });
});
