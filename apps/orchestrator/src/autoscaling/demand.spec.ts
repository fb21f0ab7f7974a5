import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StartupTime, RecentTargets, TakenEngines } from './demand.js';

describe('taken engines', () => {
  const free = (id: string) => ({ id, claims: 0, cordon: null, adopted: false });
  const busy = (id: string) => ({ ...free(id), claims: 1 });

  it('are those that were free and now have a claim, and new ones that have a claim when first seen', () => {
    const taken = new TakenEngines();
    taken.observe([free('a'), free('b')], 0);
    taken.observe([busy('a'), free('b'), busy('new')], 1000);
    expect(taken.within(10_000, 1000)).toBe(2);
    taken.observe([busy('a'), busy('b')], 5000);
    expect([taken.within(10_000, 5000), taken.within(10_000, 11_000), taken.within(10_000, 15_000)]).toEqual([3, 1, 0]);
  });

  it('are neither those in use at the first observation nor adopted ones in use after a restart', () => {
    const taken = new TakenEngines();
    taken.observe([busy('a')], 0);
    const found = { ...busy('b'), adopted: true };
    taken.observe([busy('a'), found, { ...free('c'), adopted: true, cordon: 'brief' as const }], 0);
    taken.observe([busy('a'), found, { ...busy('c'), adopted: true }], 1000);
    expect(taken.within(10_000, 1000)).toBe(0);
  });
});

describe('the startup time', () => {
  it('follows the measured times and bounds extremes', () => {
    const startupTime = new StartupTime();
    expect(startupTime.ms).toBe(10_000);
    for (let i = 0; i < 30; i++) startupTime.learn(4000);
    expect(startupTime.ms).toBeCloseTo(4000, -1);
    for (let i = 0; i < 50; i++) startupTime.learn(i % 2 ? 1e9 : 0);
    expect(startupTime.ms).toBeGreaterThan(1000);
    expect(startupTime.ms).toBeLessThan(60_000);
  });
});

describe('recent targets', () => {
  it('a peak counts for one window after its end, then the next lower target does', () => {
    const targets = new RecentTargets();
    targets.record(5, 0);
    targets.record(3, 100);
    targets.record(1, 150);
    expect([targets.highest(50, 149), targets.highest(50, 150), targets.highest(50, 199), targets.highest(50, 200)]).toEqual([5, 3, 3, 1]);
  });

  it('tell when the peak ends, or that it is the current target', () => {
    const targets = new RecentTargets();
    expect(targets.fallsInMs(50, 0)).toBeNull();
    targets.record(5, 0);
    expect(targets.fallsInMs(50, 1000)).toBeNull();
    targets.record(2, 1000);
    expect(targets.fallsInMs(50, 1010)).toBe(40);
  });

  it('return the highest target in force within the window, for any history', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ target: fc.nat(9), after: fc.integer({ min: 1, max: 40 }) }), { minLength: 1 }),
        fc.integer({ min: 1, max: 100 }),
        (steps, windowMs) => {
          const targets = new RecentTargets();
          const spans: { target: number; from: number }[] = [];
          let now = 0;
          for (const { target, after } of steps) {
            targets.record(target, now);
            spans.push({ target, from: now });
            now += after;
            const inForce = spans.filter((_, index) => (spans[index + 1]?.from ?? Infinity) > now - windowMs);
            expect(targets.highest(windowMs, now)).toBe(Math.max(...inForce.map((span) => span.target)));
          }
        },
      ),
    );
  });
});
