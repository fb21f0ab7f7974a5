import { describe, expect, it } from 'vitest';
import { aPoolEngine as engine } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { ProvisioningRefusedError } from '../provisioning/refusals.policy.js';
import { decideRound, describeRound, type RoundInputs } from './reconcile.policy.js';
import type { PoolEngine, PoolState } from './scaling.policy.js';

const NO_DOCKER = new ProvisioningRefusedError('runtime_unavailable', 'Docker is away');
const TRIAL = new ProvisioningRefusedError('circuit_breaker', 'a trial is in progress');
const SICK = { health: 'unhealthy', healthMs: 60_000 } as const;

function inputs(engines: PoolEngine[], pool: Partial<PoolState> = {}, changes: Partial<RoundInputs> = {}): RoundInputs {
  return {
    pool: {
      engines,
      total: engines.length + (pool.pending ?? 0),
      pending: 0,
      revocable: 0,
      waiting: 0,
      manualMinimum: null,
      taken: 0,
      recentPeak: 0,
      startDelayMs: 0,
      ...pool,
    },
    limits: { minFree: 2, max: 6, idleGraceMs: 30_000, minHealthy: 1, graceMs: 60_000, cooldownMs: 60_000 },
    removing: new Set(),
    blocked: { general: null, replacement: null },
    startLimits: { general: 10, replacement: 10 },
    replacementsInProgress: 0,
    sinceLastReplacementMs: Infinity,
    ...changes,
  };
}

describe('a round of the reconcile loop', () => {
  it('starts what scaling needs, and counts a start for an unhealthy engine as its replacement', () => {
    expect(decideRound(inputs([])).starts).toEqual(['general', 'general']);
    expect(decideRound(inputs([engine('a', SICK)]))).toMatchObject({ starts: ['general', 'replacement'], blocked: null });
    expect(decideRound(inputs([engine('a', SICK)], {}, { replacementsInProgress: 1 })).starts).toEqual(['general', 'general']);
  });

  it('starts nothing of an operation that is blocked, and says why', () => {
    const sick = [engine('a', SICK)];
    const general = decideRound(inputs(sick, {}, { blocked: { general: NO_DOCKER, replacement: TRIAL } }));
    expect(general).toMatchObject({ starts: [], blocked: NO_DOCKER });
    const replacement = decideRound(inputs(sick, {}, { blocked: { general: null, replacement: TRIAL } }));
    expect(replacement).toMatchObject({ starts: ['general'], blocked: TRIAL });
    // Without a replacement in this round, a blocked replacement is no reason.
    expect(decideRound(inputs([], {}, { blocked: { general: null, replacement: TRIAL } })).blocked).toBeNull();
  });

  it('never starts more than the circuit breakers permit, counting the starts that are requested', () => {
    const limited = { startLimits: { general: 1, replacement: 0 } };
    expect(decideRound(inputs([engine('a', SICK)], {}, limited)).starts).toEqual(['general']);
    expect(decideRound(inputs([], { pending: 1 }, limited)).starts).toEqual([]);
    expect(decideRound(inputs([], { pending: 1, waiting: 2 }, { startLimits: { general: 2, replacement: 2 } })).starts).toEqual([
      'general',
    ]);
    expect(decideRound(inputs([], { pending: 3, waiting: 2 }, limited)).starts).toEqual([]);
  });

  it('names the limit of engines while a waiting request gets none', () => {
    const full = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => engine(id, { claims: 1 }));
    expect(decideRound(inputs(full, { waiting: 1 })).blocked).toMatchObject({ code: 'max_capacity' });
    expect(decideRound(inputs(full)).blocked).toBeNull();
  });

  it('removes no engine twice', () => {
    const engines = ['a', 'b', 'c', 'd'].map((id) => engine(id, { idleMs: 40_000 }));
    expect(decideRound(inputs(engines)).scaling.remove.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(decideRound(inputs(engines, {}, { removing: new Set(['a']) })).scaling.remove.map(({ id }) => id)).toEqual(['b']);
  });

  it('drains no unhealthy engine while too few are healthy and replacements are blocked', () => {
    const engines = [engine('a', SICK), engine('b', SICK)];
    const blocked = { general: null, replacement: TRIAL };
    expect(decideRound(inputs(engines, {}, { blocked })).replacement.waitsFor).toContain('a trial is in progress');
    const healthy = [engine('a', SICK), engine('w')];
    expect(decideRound(inputs(healthy)).replacement.drain).toMatchObject({ id: 'a' });
    expect(decideRound(inputs(healthy, {}, { sinceLastReplacementMs: 1 })).replacement.drain).toBeNull();
  });
});

describe('the decision log of a round', () => {
  const describeInputs = (given: RoundInputs) => describeRound(given, decideRound(given));

  it('shows the engines by what they do, and what was decided', () => {
    const given = inputs(
      [
        engine('w', { idleMs: 40_000 }),
        engine('busy', { claims: 1 }),
        engine('busier', { claims: 2 }),
        engine('new', { lifecycle: 'starting', health: 'unknown' }),
        engine('sick', { ...SICK, cordon: 'open' }),
        engine('drained', { lifecycle: 'draining', drain: { reason: 'surplus', deadlineMs: 5 } }),
      ],
      { pending: 2, revocable: 2, manualMinimum: 1, taken: 1, recentPeak: 4 },
    );
    expect(describeInputs(given)).toMatchObject({
      inputs: {
        total: 8,
        free: 1,
        busy: 2,
        starting: 1,
        pending: 2,
        unhealthy: 1,
        draining: 1,
        held: 1,
        waiting: 0,
        floor: 1,
        taken: 1,
        recent_peak: 4,
        min_free: 2,
        max: 6,
      },
      revoked: 2,
      started: 0,
      replacements: 0,
      drained: [{ container_id: 'sick', reason: 'unhealthy' }],
      removed: [{ container_id: 'drained', reason: 'drained, nothing plays on it' }],
      blocked: null,
    });
  });

  it('counts the started replacements, and shows what the replacement of unhealthy engines waits for', () => {
    const logged = describeInputs(inputs([engine('a', SICK)], { waiting: 1 }));
    expect(logged).toMatchObject({ started: 3, replacements: 1, drained: [], blocked: null });
    expect(logged.reasons).toHaveLength(2);
    expect(logged.reasons[1]).toBe('replacement of unhealthy engines waits for more healthy engines: 0 of 1');
    expect(describeInputs(inputs([])).reasons).toHaveLength(1);
  });

  it('names the obstacle only when fewer engines are started than needed or a request waits in vain', () => {
    const blocked = { general: NO_DOCKER, replacement: NO_DOCKER };
    expect(describeInputs(inputs([], {}, { blocked })).blocked).toBe('Docker is away');
    expect(describeInputs(inputs([engine('a'), engine('b')], {}, { blocked })).blocked).toBeNull();
    const full = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => engine(id, { claims: 1 }));
    expect(describeInputs(inputs(full, { waiting: 1 })).blocked).toContain('the limit of 6 engines is reached');
    expect(describeInputs(inputs([], {}, { startLimits: { general: 1, replacement: 1 } }))).toMatchObject({ started: 1, blocked: null });
  });
});
