import { describe, expect, it } from 'vitest';
import { whatIsFull } from './viewer-limits.policy.js';

describe('room for one more viewer', () => {
  it.each([
    [0, 0, 1000, 1000, null],
    [10, 3, 9, 2, null],
    [10, 3, 9, 3, 'stream'],
    [10, 3, 10, 2, 'all'],
    [10, 3, 10, 3, 'stream'],
    [10, 0, 10, 0, 'all'],
    [0, 1, 5, 0, null],
  ] as const)(
    'of %i in all and %i per stream, with %i and %i there: what is full is %s',
    (maxViewers, maxViewersPerStream, all, stream, full) =>
      expect(whatIsFull({ maxViewers, maxViewersPerStream }, { all, stream })).toBe(full),
  );
});
