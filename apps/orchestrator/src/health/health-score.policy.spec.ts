import { describe, expect, it } from 'vitest';
import { healthScore, type ScoredEngine } from './health-score.policy.js';

const FREE: ScoredEngine = { lifecycle: 'ready', health: 'healthy', missedChecks: 0, claims: 0, maxStreams: 1, held: null };

describe('the score of an engine', () => {
  it.each<[string, Partial<ScoredEngine>, number, string[]]>([
    ['that is free and well is full marks', {}, 100, ['healthy: 100']],
    ['that plays is less', { claims: 1, maxStreams: 3 }, 90, ['healthy: 100', '1 of 3 streams: -10']],
    ['that is full is less still', { claims: 1 }, 70, ['healthy: 100', '1 of 1 streams: -30']],
    ['that missed checks is in doubt', { missedChecks: 2 }, 70, ['healthy: 100', '2 missed health checks in a row: -30']],
    ['that was never checked is half', { health: 'unknown' }, 50, ['unknown: 50']],
    ['in quarantine is less', { held: 'in quarantine' }, 80, ['healthy: 100', 'kept back, in quarantine: -20']],
    [
      'that is ill is never below 0',
      { health: 'unhealthy', missedChecks: 9 },
      0,
      ['unhealthy: 10', '9 missed health checks in a row: -135'],
    ],
    ['that drains is nothing, whatever else', { lifecycle: 'draining' }, 0, ['is draining: 0']],
  ])('%s', (_what, overrides, score, reasons) => {
    expect(healthScore({ ...FREE, ...overrides })).toEqual({ score, reasons });
  });

  it('is a whole number', () => {
    for (let claims = 0; claims < 10; claims++) expect(healthScore({ ...FREE, claims, maxStreams: 7 }).score % 1).toBe(0);
  });
});
