import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeadTime, RecentTargets, TakenEngines } from './demand.js';

describe('the engines taken lately', () => {
  const free = (id: string) => ({ id, claims: 0, held: null, adopted: false });
  const busy = (id: string) => ({ ...free(id), claims: 1 });

  it('are those that were free and have a claim, and new ones taken before they were ever seen free', () => {
    const taken = new TakenEngines();
    taken.observe([free('a'), free('b')], 0);
    taken.observe([busy('a'), free('b'), busy('new')], 1000);
    expect(taken.within(10_000, 1000)).toBe(2);
    taken.observe([busy('a'), busy('b')], 5000);
    expect([taken.within(10_000, 5000), taken.within(10_000, 11_000), taken.within(10_000, 15_000)]).toEqual([3, 1, 0]);
  });

  it('are not those in use at the first look, nor those found again with their streams after a restart', () => {
    const taken = new TakenEngines();
    taken.observe([busy('a')], 0);
    const found = { ...busy('b'), adopted: true };
    taken.observe([busy('a'), found, { ...free('c'), adopted: true, held: 'brief' as const }], 0);
    taken.observe([busy('a'), found, { ...busy('c'), adopted: true }], 1000);
    expect(taken.within(10_000, 1000)).toBe(0);
  });
});

describe('the time an engine takes to come up', () => {
  it('follows what is seen, and believes no extremes', () => {
    const lead = new LeadTime();
    expect(lead.ms).toBe(10_000);
    for (let i = 0; i < 30; i++) lead.learn(4000);
    expect(lead.ms).toBeCloseTo(4000, -1);
    for (let i = 0; i < 50; i++) lead.learn(i % 2 ? 1e9 : 0);
    expect(lead.ms).toBeGreaterThan(1000);
    expect(lead.ms).toBeLessThan(60_000);
  });
});

describe('the targets of the last while', () => {
  it('a peak holds for a window after it has ended, then the next lower one does', () => {
    const targets = new RecentTargets();
    targets.note(5, 0);
    targets.note(3, 100);
    targets.note(1, 150);
    expect([targets.highest(50, 149), targets.highest(50, 150), targets.highest(50, 199), targets.highest(50, 200)]).toEqual([5, 3, 3, 1]);
  });

  it('says when the peak falls, and that it does not where it is the present one', () => {
    const targets = new RecentTargets();
    expect(targets.fallsInMs(50, 0)).toBeNull();
    targets.note(5, 0);
    expect(targets.fallsInMs(50, 1000)).toBeNull();
    targets.note(2, 1000);
    expect(targets.fallsInMs(50, 1010)).toBe(40);
  });

  it('is the highest that was in force within the window, whatever came', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ target: fc.nat(9), after: fc.integer({ min: 1, max: 40 }) }), { minLength: 1 }),
        fc.integer({ min: 1, max: 100 }),
        (steps, windowMs) => {
          const targets = new RecentTargets();
          const spans: { target: number; from: number }[] = [];
          let now = 0;
          for (const { target, after } of steps) {
            targets.note(target, now);
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
