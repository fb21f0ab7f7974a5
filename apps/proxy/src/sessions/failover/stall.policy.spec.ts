import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StallPolicy } from './stall.policy.js';

/** A stream of this bitrate; its media does not advance here, so there is no lead. */
const at = (bitrate: number | null, bufferedMs = 60_000) => ({ bitrate, mediaMs: 0, bufferedMs });

describe('how long a silence may last', () => {
  it('is 5 s for a steady stream', () => {
    const stall = new StallPolicy(undefined, 0, 0);
    for (let now = 0; now <= 10_000; now += 100) stall.observe(now, 0);
    expect(stall.remaining(10_000, at(null))).toBe(5000);
    expect(stall.remaining(15_000, at(null))).toBe(0);
  });

  it('grows with the gaps, up to 10 s, and shrinks again when they are long past', () => {
    const stall = new StallPolicy(undefined, 0, 0);
    stall.observe(3000, 0);
    expect(stall.limitMs(at(4_000_000))).toBe(7500);
    stall.observe(7500, 0);
    expect(stall.limitMs(at(4_000_000))).toBe(10_000);
    for (let now = 7600; now <= 320_000; now += 100) stall.observe(now, 0);
    expect(stall.limitMs(at(4_000_000))).toBe(5000);
  });

  it.each([0, 1_000_000])('remembers the longest gap for two and a half minutes, and not after five, from a start at %d ms', (start) => {
    const stall = new StallPolicy(undefined, start, 0);
    stall.observe(start + 3000, 0);
    for (let now = 3100; now <= 149_000; now += 100) stall.observe(start + now, 0);
    expect(stall.limitMs(at(4_000_000))).toBe(7500);
    for (let now = 149_100; now <= 303_000; now += 100) stall.observe(start + now, 0);
    expect(stall.limitMs(at(4_000_000))).toBe(5000);
  });

  it('is 10 to 15 s at a low bitrate, and after very long gaps', () => {
    const stall = new StallPolicy(undefined, 0, 0);
    stall.observe(1000, 0);
    expect([stall.limitMs(at(1_000_000)), stall.limitMs(at(null))]).toEqual([10_000, 5000]);
    expect(stall.limitMs(at(1_500_000))).toBe(5000);
    stall.observe(6000, 0);
    expect([stall.limitMs(at(1_000_000)), stall.limitMs(at(null))]).toEqual([12_500, 10_000]);
    stall.observe(13_000, 0);
    expect([stall.limitMs(at(1_000_000)), stall.limitMs(at(null))]).toEqual([15_000, 15_000]);
  });

  it('asks for a standby engine at half of the limit', () => {
    const stall = new StallPolicy(undefined, 0, 0);
    expect(stall.untilQuiet(1000, at(null))).toBe(1500);
    expect(stall.untilQuiet(2500, at(null))).toBe(0);
  });

  it('is the time until the media that came at once has been played, and 2.5 s more', () => {
    const stall = new StallPolicy(undefined, 0, 0);
    stall.observe(100, 20_000);
    expect(stall.limitMs(at(4_000_000))).toBe(22_500);
    expect(stall.untilQuiet(100, at(4_000_000))).toBe(11_250);
    // Viewers can be behind by what the ring buffer holds and no more.
    expect(stall.limitMs(at(4_000_000, 12_000))).toBe(14_500);
  });

  it('does not grow with the pieces of a steady stream', () => {
    for (const piece of [100, 1000, 2000, 4000]) {
      const stall = new StallPolicy(undefined, 0, 0);
      for (let now = piece; now <= 40_000; now += piece) stall.observe(now, now);
      expect([piece, stall.limitMs(at(4_000_000))]).toEqual([piece, Math.max(5000, 2.5 * piece)]);
    }
  });

  it('is the setting when it is set', () => {
    const stall = new StallPolicy(1234, 0, 0);
    stall.observe(9000, 20_000);
    expect(stall.limitMs(at(4_000_000))).toBe(1234);
  });

  it('stays within its bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 })), (gaps) => {
        const stall = new StallPolicy(undefined, 0, 0);
        let now = 0;
        for (const gap of gaps) stall.observe((now += gap), 0);
        expect(stall.limitMs(at(4_000_000))).toBeGreaterThanOrEqual(5000);
        expect(stall.limitMs(at(4_000_000))).toBeLessThanOrEqual(15_000);
      }),
    );
  });
});
