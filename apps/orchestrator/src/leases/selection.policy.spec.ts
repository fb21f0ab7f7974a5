import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aCandidate } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { obstacleOf, selectEngine } from './selection.policy.js';

const ANY = { keys: ['content_id:x'], exclude: new Set<string>() };

describe('the selection of an engine', () => {
  it.each([
    ['the healthy one before an unknown one', aCandidate('b', { health: 'unknown' }), aCandidate('z', { claims: 1 })],
    ['the one with fewest streams', aCandidate('a', { claims: 1, forwarded: true }), aCandidate('z')],
    ['the one with the forwarded port', aCandidate('a'), aCandidate('z', { forwarded: true, lastStreamUsage: 9 })],
    ['the one unused for longest', aCandidate('a', { lastStreamUsage: 2 }), aCandidate('z', { lastStreamUsage: 1 })],
    ['the one that was never used', aCandidate('a', { lastStreamUsage: 2 }), aCandidate('z')],
    ['the same one every time when all else is equal', aCandidate('b'), aCandidate('a')],
  ])('selects %s', (_what, other, better) => {
    expect(selectEngine([other, better], ANY, 3).chosen?.id).toBe(better.id);
    expect(selectEngine([better, other], ANY, 3).chosen?.id).toBe(better.id);
  });

  it.each([
    [aCandidate('a', { lifecycle: 'starting' }), 'starting'],
    [aCandidate('a', { lifecycle: 'draining' }), 'draining'],
    [aCandidate('a', { health: 'unhealthy' }), 'unhealthy'],
    [aCandidate('a', { cordoned: 'in quarantine' }), 'cordoned: in quarantine'],
    [aCandidate('excluded'), 'excluded by the request'],
    [aCandidate('a', { claims: 1, contents: new Set(['infohash:1']) }), 'already has this content: stopping one stream would end both'],
    [aCandidate('a', { claims: 2 }), 'full: 2 of 2 streams'],
  ])('never selects an engine that is not free, and gives the reason (%#)', (candidate, verdict) => {
    const criteria = { keys: ['content_id:x', 'infohash:1'], exclude: new Set(['excluded']) };
    expect(selectEngine([candidate], criteria, 2)).toMatchObject({ chosen: null, considered: [{ container_id: candidate.id, verdict }] });
  });

  it('gives a verdict for every engine, the selected one first', () => {
    const { considered, reason } = selectEngine([aCandidate('a', { claims: 1 }), aCandidate('b'), aCandidate('c', { claims: 2 })], ANY, 2);
    expect(considered).toEqual([
      { container_id: 'b', verdict: 'chosen' },
      { container_id: 'a', verdict: 'free, but it has 1 stream' },
      { container_id: 'c', verdict: 'full: 2 of 2 streams' },
    ]);
    expect(reason).toContain('best of 2 free');
  });

  it.each([
    [aCandidate('b', { health: 'unknown' }), aCandidate('a'), 'its health is unknown', 'healthy, 0 streams, never used'],
    [aCandidate('b', { claims: 2 }), aCandidate('a', { claims: 1 }), 'it has 2 streams', 'healthy, 1 stream, never used'],
    [
      aCandidate('b', { lastStreamUsage: 5 }),
      aCandidate('a', { forwarded: true, lastStreamUsage: 1000 }),
      'it has no forwarded port',
      'healthy, 0 streams, forwarded port, last used 1970-01-01T00:00:01.000Z',
    ],
    [aCandidate('b', { lastStreamUsage: 5 }), aCandidate('a'), 'it was used more recently', 'healthy, 0 streams, never used'],
    [aCandidate('b'), aCandidate('a'), 'equal, and its id comes later', 'healthy, 0 streams, never used'],
  ])('says why an engine is second, and what the selected one is like (%#)', (second, first, why, how) => {
    const { reason, considered } = selectEngine([second, first], ANY, 3);
    expect(reason).toBe(`${how}, best of 2 free`);
    expect(considered[1]).toEqual({ container_id: 'b', verdict: `free, but ${why}` });
  });

  it('selects an engine whenever one meets the criteria, in any order of the list', () => {
    const candidates = fc.uniqueArray(
      fc.record({
        id: fc.string({ minLength: 1, maxLength: 3 }),
        lifecycle: fc.constantFrom('starting' as const, 'ready' as const, 'draining' as const),
        health: fc.constantFrom('healthy' as const, 'unhealthy' as const, 'unknown' as const),
        forwarded: fc.boolean(),
        claims: fc.nat(3),
        contents: fc.subarray(['content_id:x', 'infohash:y']).map((keys) => new Set(keys)),
        cordoned: fc.option(fc.constant('cordoned')),
        lastStreamUsage: fc.option(fc.nat(5)),
      }),
      { selector: (candidate) => candidate.id, maxLength: 8 },
    );
    fc.assert(
      fc.property(candidates, fc.integer({ min: 1, max: 3 }), (engines, max) => {
        const { chosen, considered } = selectEngine(engines, ANY, max);
        const free = engines.filter((engine) => obstacleOf(engine, ANY, max) === null);
        expect(chosen === null).toBe(free.length === 0);
        if (chosen) expect(free).toContain(chosen);
        expect(considered.map((each) => each.container_id).sort()).toEqual(engines.map((engine) => engine.id).sort());
        expect(selectEngine([...engines].reverse(), ANY, max).chosen?.id).toBe(chosen?.id);
      }),
    );
  });
});
