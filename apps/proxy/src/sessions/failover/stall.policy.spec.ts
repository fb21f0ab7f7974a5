import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StallPolicy } from './stall.policy.js';

describe('how long a silence may last', () => {
  it('is 5 s for a steady stream', () => {
    const stall = new StallPolicy(undefined, 0);
    for (let now = 0; now <= 10_000; now += 100) stall.observe(now);
    expect(stall.remaining(10_000, null)).toBe(5000);
    expect(stall.remaining(15_000, null)).toBe(0);
  });

  it('grows with the gaps, up to 10 s, and shrinks again when they are long past', () => {
    const stall = new StallPolicy(undefined, 0);
    stall.observe(3000);
    expect(stall.limitMs(4_000_000)).toBe(7500);
    stall.observe(7500);
    expect(stall.limitMs(4_000_000)).toBe(10_000);
    for (let now = 7600; now <= 320_000; now += 100) stall.observe(now);
    expect(stall.limitMs(4_000_000)).toBe(5000);
  });

  it('is 10 to 15 s at a low bitrate, and after very long gaps', () => {
    const stall = new StallPolicy(undefined, 0);
    stall.observe(1000);
    expect([stall.limitMs(1_000_000), stall.limitMs(null)]).toEqual([10_000, 5000]);
    stall.observe(6000);
    expect([stall.limitMs(1_000_000), stall.limitMs(null)]).toEqual([12_500, 10_000]);
    stall.observe(13_000);
    expect([stall.limitMs(1_000_000), stall.limitMs(null)]).toEqual([15_000, 15_000]);
  });

  it('asks for a standby engine at half of the limit', () => {
    const stall = new StallPolicy(undefined, 0);
    expect(stall.untilQuiet(1000, null)).toBe(1500);
    expect(stall.untilQuiet(2500, null)).toBe(0);
  });

  it('is the setting when it is set', () => {
    const stall = new StallPolicy(1234, 0);
    stall.observe(9000);
    expect(stall.limitMs(4_000_000)).toBe(1234);
  });

  it('stays within its bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 })), (gaps) => {
        const stall = new StallPolicy(undefined, 0);
        let now = 0;
        for (const gap of gaps) stall.observe((now += gap));
        expect(stall.limitMs(4_000_000)).toBeGreaterThanOrEqual(5000);
        expect(stall.limitMs(4_000_000)).toBeLessThanOrEqual(15_000);
      }),
    );
  });
});
