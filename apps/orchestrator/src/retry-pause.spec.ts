import { describe, expect, it } from 'vitest';
import { retryPauseMs } from './retry-pause.js';

const SETTINGS = { maxRetries: 3, retryBackoffMs: 2000 };

describe('the pause before a failed call is repeated', () => {
  it('doubles with every failure, and there is none once the repetitions are used up', () => {
    expect([0, 1, 2, 3, 4].map((failures) => retryPauseMs(failures, SETTINGS, () => 1))).toEqual([null, 2000, 4000, 8000, null]);
  });

  it('is spread by chance between half and the whole', () => {
    expect(retryPauseMs(1, SETTINGS, () => 0)).toBe(1000);
  });

  it('MAX_RETRIES=0 repeats nothing', () => {
    expect(retryPauseMs(1, { ...SETTINGS, maxRetries: 0 })).toBeNull();
  });
});
