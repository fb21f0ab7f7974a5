import { describe, expect, it } from 'vitest';
import {
  type FailedAttempt,
  type FailureKind,
  MAX_REFUSALS,
  MAX_ATTEMPTS,
  kindOf,
  nextStep,
  selectionLimitMs,
  verdictOf,
} from './start.plan.js';

const failed = (...kinds: FailureKind[]): FailedAttempt[] => kinds.map((kind, index) => ({ engineId: `e${index}`, kind, reason: kind }));

describe('after a failed attempt', () => {
  it('another engine is tried while the whole start has time left', () => {
    expect(nextStep([], 60_000)).toEqual({ step: 'try', waitMs: 60_000 });
    expect(nextStep(failed('silent'), 30_000)).toEqual({ step: 'try', waitMs: 30_000 });
    expect(nextStep(failed('silent'), 0)).toEqual({ step: 'give-up' });
  });

  it('the start ends when enough engines have refused the content', () => {
    expect(nextStep(failed(...Array<FailureKind>(MAX_REFUSALS - 1).fill('refused')), 60_000).step).toBe('try');
    expect(nextStep(failed(...Array<FailureKind>(MAX_REFUSALS).fill('refused')), 60_000).step).toBe('give-up');
    expect(nextStep(failed(...Array<FailureKind>(MAX_ATTEMPTS).fill('unreachable')), 60_000).step).toBe('give-up');
  });

  it('the wait for an engine is shorter when the content was refused before', () => {
    expect(nextStep(failed('refused'), 60_000)).toEqual({ step: 'try', waitMs: 10_000 });
    expect(nextStep(failed('refused'), 4000)).toEqual({ step: 'try', waitMs: 4000 });
  });
});

describe('the wait for an engine', () => {
  it.each([
    [60_000, 55_000],
    [20_000, 15_000],
    [4000, 3000],
    [1, 0.75],
  ])('of a start of %i ms ends after %d ms, so that the engine has time to start', (limitMs, waitMs) => {
    expect(selectionLimitMs(limitMs)).toBe(waitMs);
  });
});

describe('the verdict of all attempts', () => {
  it.each([
    [[], 'no-engine'],
    [['unreachable', 'unreachable'], 'no-engine'],
    [['refused', 'refused'], 'refused'],
    [['refused', 'unreachable'], 'refused'],
    [['broken'], 'refused'],
    [['refused', 'silent'], 'silent'],
    [['silent'], 'silent'],
  ] as [FailureKind[], string][])('%j is %s', (kinds, verdict) => {
    expect(verdictOf(failed(...kinds))).toBe(verdict);
  });
});

describe('the kind of a failure', () => {
  it.each([
    ['engine_refused', 'asking', 'refused'],
    ['engine_timeout', 'asking', 'silent'],
    ['engine_timeout', 'opening', 'silent'],
    ['engine_still_preparing', 'opening', 'silent'],
    ['no_packets', 'opening', 'silent'],
    ['no_transport_stream', 'opening', 'refused'],
    ['engine_busy', 'asking', 'busy'],
    ['engine_unreachable', 'asking', 'unreachable'],
    ['engine_unreachable', 'opening', 'broken'],
    ['engine_bad_reply', 'asking', 'broken'],
    ['media_ended', 'opening', 'broken'],
    [undefined, 'opening', 'broken'],
  ] as const)('%s while %s is %s', (code, phase, kind) => {
    expect(kindOf(code, phase)).toBe(kind);
  });
});
