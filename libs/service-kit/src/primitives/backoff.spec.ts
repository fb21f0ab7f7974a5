import { describe, expect, it } from 'vitest';
import { backoffMs, retryDelayMs, withJitter } from './backoff.js';

describe('backoffMs', () => {
  it('starts with the first delay, doubles it with every failure and stops at the longest delay', () => {
    expect([1, 2, 3, 4, 5].map((failures) => backoffMs(failures, { firstMs: 100, longestMs: 700 }))).toEqual([100, 200, 400, 700, 700]);
  });

  it('grows without a limit when none is given', () => {
    expect(backoffMs(11, { firstMs: 1 })).toBe(1024);
  });

  it('returns the longest delay after any number of failures', () => {
    expect(backoffMs(5000, { firstMs: 1, longestMs: 60_000 })).toBe(60_000);
  });
});

describe('withJitter', () => {
  it('returns between half of the delay and all of it', () => {
    expect([0, 0.5, 1].map((random) => withJitter(1000, () => random))).toEqual([500, 750, 1000]);
  });
});

describe('the delay before a retry', () => {
  const LIMITS = { maxRetries: 3, retryBackoffMs: 2000 };

  it('doubles with every failure and is null after the last retry', () => {
    expect([0, 1, 2, 3, 4].map((failures) => retryDelayMs(failures, LIMITS, () => 1))).toEqual([null, 2000, 4000, 8000, null]);
  });

  it('has a random part between half and the whole', () => {
    expect(retryDelayMs(1, LIMITS, () => 0)).toBe(1000);
  });

  it('MAX_RETRIES=0 means no retries', () => {
    expect(retryDelayMs(1, { ...LIMITS, maxRetries: 0 })).toBeNull();
  });
});
