import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../../test/doubles/fake-clock.js';
import { hedgeDelayMs } from './hedge.policy.js';
import { EngineRefusedError } from '@acexy/engine-client';
import { byId, makeSessions, packets, watch } from '../../../../../test/doubles/proxy/sessions.fixture.js';

const AFTER_MS = 8000;

describe('when a second engine is tried', () => {
  it.each([
    [0, 60_000, null],
    [8000, 60_000, 8000],
    [8000, 9000, 8000],
    [8000, 8500, null],
  ] as const)('after %i ms with %i ms left: %s', (afterMs, remainingMs, delay) => expect(hedgeDelayMs(afterMs, remainingMs)).toBe(delay));
});

describe('an engine that is slow to begin', () => {
  function slowFirst(engineCount = 2, hedgeAfterMs = AFTER_MS) {
    const sessions = makeSessions(engineCount, new FakeClock(), { hedgeAfterMs });
    sessions.engines[0].media = 'waits';
    const outcomes: string[] = [];
    sessions.registry.listen({ hedged: (outcome) => outcomes.push(outcome) });
    const viewer = watch(sessions.registry.subscribe(byId()));
    return { ...sessions, outcomes, viewer };
  }

  it('gets another one beside it that nobody else has need of; the quicker one plays, the slow one is stopped and given back', async () => {
    const { registry, selector, engines, clock, outcomes, viewer } = slowFirst();
    await clock.advanceAndSettle(AFTER_MS - 1);
    expect([engines[1].starts.length, viewer.outcome]).toEqual([0, 'waiting']);
    await clock.advanceAndSettle(600);
    expect(viewer.outcome).toBe('playing');
    expect(selector.requests.map(({ purpose, exclude }) => [purpose, exclude])).toEqual([
      ['start', []],
      ['reserve', ['engine-1']],
      ['start', ['engine-1']],
    ]);
    expect(registry.snapshots()[0].engine?.engineId).toBe('engine-2');
    expect(engines.map(({ running }) => running)).toEqual([0, 1]);
    expect(selector.released).toEqual(['engine-1']);
    expect(outcomes).toEqual(['won']);
    expect(viewer.sink.bytes).toBeGreaterThan(0);
  });

  it('plays itself when it is the quicker one after all, and the other is stopped and given back', async () => {
    const { registry, selector, engines, clock, outcomes, viewer } = slowFirst();
    engines[0].media = 'silent';
    engines[1].media = 'waits';
    await clock.advanceAndSettle(AFTER_MS + 100);
    expect(engines[1].starts).toHaveLength(1);
    engines[0].mediaStreams[0].write(packets());
    await clock.advanceAndSettle(600);
    expect(viewer.outcome).toBe('playing');
    expect(registry.snapshots()[0].engine?.engineId).toBe('engine-1');
    expect(engines.map(({ running }) => running)).toEqual([1, 0]);
    expect(selector.released).toEqual(['engine-2']);
    expect(outcomes).toEqual(['lost']);
  });

  it('is waited for alone where no other is to be had, where the other fails, and where the setting says so', async () => {
    for (const { count, hedgeAfterMs, told } of [
      { count: 1, hedgeAfterMs: AFTER_MS, told: ['none'] },
      { count: 2, hedgeAfterMs: AFTER_MS, told: ['lost'] },
      { count: 2, hedgeAfterMs: 0, told: [] },
    ]) {
      const { engines, clock, outcomes, viewer } = slowFirst(count, hedgeAfterMs);
      engines[0].media = 'silent';
      if (count === 2) engines[1].start = new EngineRefusedError('start', 'failed to load content', 200);
      await clock.advanceAndSettle(20_000);
      expect(viewer.outcome).toBe('waiting');
      engines[0].mediaStreams[0].write(packets());
      await clock.advanceAndSettle(600);
      expect([viewer.outcome, engines[0].running]).toEqual(['playing', 1]);
      expect(outcomes).toEqual(told);
    }
  });

  it('the second one has less time than its lease', async () => {
    const { engines, clock, viewer } = slowFirst();
    engines[0].media = 'silent';
    engines[1].media = 'waits';
    await clock.advanceAndSettle(AFTER_MS + 15_100);
    expect(engines.map(({ running }) => running)).toEqual([1, 0]);
    expect(viewer.outcome).toBe('waiting');
  });

  it('both are stopped and given back when nobody waits any more, and nothing is left', async () => {
    const { registry, selector, engines, clock, viewer } = slowFirst();
    engines[1].media = 'waits';
    await clock.advanceAndSettle(AFTER_MS + 100);
    viewer.leave();
    await clock.advanceAndSettle(10_000);
    await settle();
    expect(registry.sessions()).toHaveLength(0);
    expect(engines.map(({ running }) => running)).toEqual([0, 0]);
    expect(selector.held).toBe(0);
    expect(clock.pending).toBe(0);
  });
});
