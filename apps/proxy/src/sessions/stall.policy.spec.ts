import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StallPolicy } from './stall.policy.js';

describe('how long a silence may last', () => {
  it('is 5 s for a steady stream', () => {
    const stall = new StallPolicy(undefined, 0);
    for (let now = 0; now <= 10_000; now += 100) stall.observe(now);
    expect(stall.remaining(10_000)).toBe(5000);
    expect(stall.remaining(15_000)).toBe(0);
  });

  it('grows with the gaps seen, up to 10 s, and shrinks again when they are long past', () => {
    const stall = new StallPolicy(undefined, 0);
    stall.observe(3000);
    expect(stall.limitMs).toBe(7500);
    stall.observe(7500);
    expect(stall.limitMs).toBe(10_000);
    for (let now = 7600; now <= 140_000; now += 100) stall.observe(now);
    expect(stall.limitMs).toBe(5000);
  });

  it('is what the setting says, where it says', () => {
    const stall = new StallPolicy(1234, 0);
    stall.observe(9000);
    expect(stall.limitMs).toBe(1234);
  });

  it('never leaves its bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 })), (gaps) => {
        const stall = new StallPolicy(undefined, 0);
        let now = 0;
        for (const gap of gaps) stall.observe((now += gap));
        expect(stall.limitMs).toBeGreaterThanOrEqual(5000);
        expect(stall.limitMs).toBeLessThanOrEqual(10_000);
      }),
    );
  });
});
