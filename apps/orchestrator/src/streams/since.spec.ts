import { describe, expect, it } from 'vitest';
import { parseIsoTime } from './since.js';

const NOON = Date.UTC(2026, 0, 31, 12);

describe('a time in a query', () => {
  it.each([
    ['2026-01-31T12:00:00.000Z', NOON],
    ['2026-01-31T12:00:00z', NOON],
    ['2026-01-31T12:00', NOON],
    ['2026-01-31T12:00:00', NOON],
    ['2026-01-31 12:00:00', NOON],
    ['2026-01-31T14:00:00+02:00', NOON],
    ['2026-01-31T14:00:00+0200', NOON],
    // How an unencoded "+" arrives.
    ['2026-01-31T14:00:00 02:00', NOON],
    ['2026-01-31T12:00:00.123456+00:00', NOON + 123],
    ['2026-01-31T07:00:00-05:00', NOON],
    ['2026-01-31', NOON - 12 * 3_600_000],
  ])('%s', (text, ms) => {
    expect(parseIsoTime(text)).toBe(ms);
  });

  it.each(['', 'yesterday', '2026-13-01T00:00:00Z', '2026-01-31T25:00:00Z', '2026-W10-1', '1769860800', '2026-01-31T12:00:00 evil'])(
    '%s is none',
    (text) => {
      expect(parseIsoTime(text)).toBeNull();
    },
  );
});
