import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../../test/doubles/fake-clock.js';
import { hedgeDelayMs } from './hedge.js';
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

describe('an engine that is slow to start', () => {
  function slowFirst(engineCount = 2, hedgeAfterMs = AFTER_MS) {
    const sessions = makeSessions(engineCount, new FakeClock(), { hedgeAfterMs });
    sessions.engines[0].media = 'waits';
    const outcomes: string[] = [];
    sessions.registry.events.subscribe((event) => event.type === 'hedge_finished' && outcomes.push(event.outcome));
    const viewer = watch(sessions.registry.subscribe(byId()));
    return { ...sessions, outcomes, viewer };
  }

  it('a second engine that nobody else needs is tried beside it; the faster one plays, the slow one is stopped and released', async () => {
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

  it('plays itself when it is faster after all, and the second one is stopped and released', async () => {
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

  it('is awaited alone when no second engine is free, when the second one fails, and when hedging is off', async () => {
    for (const { count, hedgeAfterMs, expected } of [
      { count: 1, hedgeAfterMs: AFTER_MS, expected: ['none'] },
      { count: 2, hedgeAfterMs: AFTER_MS, expected: ['lost'] },
      { count: 2, hedgeAfterMs: 0, expected: [] },
    ]) {
      const { engines, clock, outcomes, viewer } = slowFirst(count, hedgeAfterMs);
      engines[0].media = 'silent';
      if (count === 2) engines[1].start = new EngineRefusedError('start', 'failed to load content');
      await clock.advanceAndSettle(20_000);
      expect(viewer.outcome).toBe('waiting');
      engines[0].mediaStreams[0].write(packets());
      await clock.advanceAndSettle(600);
      expect([viewer.outcome, engines[0].running]).toEqual(['playing', 1]);
      expect(outcomes).toEqual(expected);
    }
  });

  it('the second engine has less time than its lease', async () => {
    const { engines, clock, viewer } = slowFirst();
    engines[0].media = 'silent';
    engines[1].media = 'waits';
    await clock.advanceAndSettle(AFTER_MS + 15_100);
    expect(engines.map(({ running }) => running)).toEqual([1, 0]);
    expect(viewer.outcome).toBe('waiting');
  });

  it('both are stopped and released when the viewer leaves, and nothing is left', async () => {
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
