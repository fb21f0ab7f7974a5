import { describe, expect, it } from 'vitest';
import { healthScore, type ScoredEngine } from './health-score.policy.js';

const FREE: ScoredEngine = { lifecycle: 'ready', health: 'healthy', missedChecks: 0, claims: 0, maxStreams: 1, cordoned: null };

describe('the health score of an engine', () => {
  it.each<[string, Partial<ScoredEngine>, number, string[]]>([
    ['is 100 when it is free and healthy', {}, 100, ['healthy: 100']],
    ['is lower when it has a stream', { claims: 1, maxStreams: 3 }, 90, ['healthy: 100', '1 of 3 streams: -10']],
    ['is lower with each stream', { claims: 2, maxStreams: 3 }, 80, ['healthy: 100', '2 of 3 streams: -20']],
    ['is even lower when it is full', { claims: 1 }, 70, ['healthy: 100', '1 of 1 streams: -30']],
    ['is lower after one missed health check', { missedChecks: 1 }, 85, ['healthy: 100', '1 missed health checks in a row: -15']],
    ['is lower after missed health checks', { missedChecks: 2 }, 70, ['healthy: 100', '2 missed health checks in a row: -30']],
    ['is 50 before the first health check', { health: 'unknown' }, 50, ['unknown: 50']],
    ['is lower when it is in quarantine', { cordoned: 'in quarantine' }, 80, ['healthy: 100', 'cordoned, in quarantine: -20']],
    [
      'is never below 0 when it is unhealthy',
      { health: 'unhealthy', missedChecks: 9 },
      0,
      ['unhealthy: 10', '9 missed health checks in a row: -135'],
    ],
    ['is 0 when it drains', { lifecycle: 'draining' }, 0, ['is draining: 0']],
  ])('%s', (_what, overrides, score, reasons) => {
    expect(healthScore({ ...FREE, ...overrides })).toEqual({ score, reasons });
  });

  it('is a whole number', () => {
    for (let claims = 0; claims < 10; claims++) expect(healthScore({ ...FREE, claims, maxStreams: 7 }).score % 1).toBe(0);
  });
});
