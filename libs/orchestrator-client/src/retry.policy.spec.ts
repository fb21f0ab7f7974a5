import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryBudget } from './retry-budget.js';
import { isWorthRetrying, retryDelayMs } from './retry.policy.js';

describe('whether a failed attempt is retried', () => {
  it.each([
    [{ status: null, failure: 'ECONNREFUSED', refused: false }, true],
    [{ status: null, failure: 'ECONNRESET', refused: false }, true],
    [{ status: null, failure: 'ENOTFOUND', refused: false }, false],
    [{ status: null, failure: 'ERR_CANCELED', refused: false }, false],
    [{ status: null, failure: 'ETIMEDOUT', refused: false }, false],
    [{ status: null, failure: null, refused: false }, false],
    [{ status: 200, failure: 'ERR_BAD_RESPONSE', refused: false }, true],
    [{ status: 300, failure: null, refused: false }, false],
    [{ status: 500, failure: null, refused: false }, true],
    [{ status: 502, failure: null, refused: false }, true],
    [{ status: 503, failure: null, refused: true }, false],
    [{ status: 429, failure: null, refused: false }, true],
    [{ status: 400, failure: null, refused: false }, false],
    [{ status: 401, failure: null, refused: false }, false],
    [{ status: 404, failure: null, refused: false }, false],
    [{ status: 302, failure: null, refused: false }, false],
  ])('%o: %s', (attempt, worth) => {
    expect(isWorthRetrying(attempt)).toBe(worth);
  });
});

describe('the delay before a retry', () => {
  it('is between 0 and a limit that doubles, and never less than Retry-After', () => {
    const attempts = fc.integer({ min: 1, max: 30 });
    const shares = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const asked = fc.option(fc.integer({ min: 0, max: 600 }));
    fc.assert(
      fc.property(attempts, shares, asked, (attempt, share, retryAfter) => {
        const minimum = (retryAfter ?? 0) * 1000;
        const delay = retryDelayMs(attempt, retryAfter, () => share);
        expect(delay).toBeGreaterThanOrEqual(minimum);
        expect(delay).toBeLessThanOrEqual(Math.max(minimum, Math.min(1000, 100 * 2 ** (attempt - 1))));
      }),
    );
  });

  it('covers the whole range', () => {
    expect([0, 0.5, 0.99].map((share) => retryDelayMs(2, null, () => share))).toEqual([0, 100, 198]);
  });
});

describe('the retry budget', () => {
  it('allows a first burst and then a fifth of the calls', () => {
    const budget = new RetryBudget(0.2, 5);
    let retries = 0;
    for (let call = 0; call < 1000; call++) {
      budget.earn();
      while (budget.take()) retries += 1;
    }
    expect(retries).toBeGreaterThanOrEqual(200);
    expect(retries).toBeLessThanOrEqual(205);
  });

  it('never exceeds the burst, however many calls succeed', () => {
    const budget = new RetryBudget(0.2, 5);
    for (let call = 0; call < 1000; call++) budget.earn();
    expect([1, 2, 3, 4, 5, 6].map(() => budget.take())).toEqual([true, true, true, true, true, false]);
  });
});
