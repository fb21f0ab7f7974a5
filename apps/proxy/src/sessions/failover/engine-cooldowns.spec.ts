import { describe, expect, it } from 'vitest';
import { EngineCooldowns } from './engine-cooldowns.js';

describe('an engine that failed a stream', () => {
  it('is avoided for a while: for a shorter time if it works and only ended the session', () => {
    const cooldowns = new EngineCooldowns();
    cooldowns.add('a', 'declined', 0);
    cooldowns.add('b', 'failed', 0);
    expect(cooldowns.excluded(2999)).toEqual(['a', 'b']);
    expect(cooldowns.remainingMs(2000)).toBe(1000);
    expect(cooldowns.excluded(3000)).toEqual(['b']);
    expect(cooldowns.excluded(10_000)).toEqual([]);
    expect(cooldowns.remainingMs(10_000)).toBe(Infinity);
  });

  it('is avoided for twice as long each time, up to a minute', () => {
    const cooldowns = new EngineCooldowns();
    const pauses = [0, 1, 2, 3, 4, 5].map((round) => {
      cooldowns.add('a', 'failed', round * 100_000);
      return cooldowns.remainingMs(round * 100_000);
    });
    expect(pauses).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  it('is tried again at least every ten seconds if it only refuses: the content may return at any time', () => {
    const cooldowns = new EngineCooldowns();
    const pauses = [0, 1, 2, 3].map((round) => {
      cooldowns.add('a', 'declined', round * 100_000);
      return cooldowns.remainingMs(round * 100_000);
    });
    expect(pauses).toEqual([3000, 6000, 10_000, 10_000]);
  });

  it('is tried again 3 s after any failure when viewers wait and no other engine is free', () => {
    const cooldowns = new EngineCooldowns();
    for (let time = 0; time < 4; time++) cooldowns.add('a', 'failed', time);
    expect(cooldowns.excluded(3002, true)).toEqual(['a']);
    expect(cooldowns.remainingMs(1003, true)).toBe(2000);
    expect(cooldowns.excluded(3003, true)).toEqual([]);
    expect(cooldowns.excluded(3003)).toEqual(['a']);
    expect(cooldowns.remainingMs(3003, true)).toBe(Infinity);
  });

  it('counts as new after five minutes without a failure', () => {
    const cooldowns = new EngineCooldowns();
    cooldowns.add('a', 'failed', 0);
    cooldowns.add('a', 'failed', 300_001);
    expect(cooldowns.remainingMs(300_001)).toBe(10_000);
  });
});
