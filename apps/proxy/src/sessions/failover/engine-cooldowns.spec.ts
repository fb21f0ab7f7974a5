import { describe, expect, it } from 'vitest';
import { EngineCooldowns } from './engine-cooldowns.js';

describe('an engine that failed a stream', () => {
  it('is passed over for a moment: a shorter one where it is alive and only ended the session', () => {
    const failed = new EngineCooldowns();
    failed.add('a', 'declined', 0);
    failed.add('b', 'failed', 0);
    expect(failed.excluded(2999)).toEqual(['a', 'b']);
    expect(failed.pardonMs(2000)).toBe(1000);
    expect(failed.excluded(3000)).toEqual(['b']);
    expect(failed.excluded(10_000)).toEqual([]);
    expect(failed.pardonMs(10_000)).toBe(Infinity);
  });

  it('is passed over twice as long each time, up to a minute', () => {
    const failed = new EngineCooldowns();
    const pauses = [0, 1, 2, 3, 4, 5].map((round) => {
      failed.add('a', 'failed', round * 100_000);
      return failed.pardonMs(round * 100_000);
    });
    expect(pauses).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  it('is asked again every ten seconds at the least where it only says no: the content may come back at any time', () => {
    const failed = new EngineCooldowns();
    const pauses = [0, 1, 2, 3].map((round) => {
      failed.add('a', 'declined', round * 100_000);
      return failed.pardonMs(round * 100_000);
    });
    expect(pauses).toEqual([3000, 6000, 10_000, 10_000]);
  });

  it('is asked again 3 s after it failed, however often it did, where viewers wait and nothing else is to be had', () => {
    const failed = new EngineCooldowns();
    for (let time = 0; time < 4; time++) failed.add('a', 'failed', time);
    expect(failed.excluded(3002, true)).toEqual(['a']);
    expect(failed.pardonMs(1003, true)).toBe(2000);
    expect(failed.excluded(3003, true)).toEqual([]);
    expect(failed.excluded(3003)).toEqual(['a']);
    expect(failed.pardonMs(3003, true)).toBe(Infinity);
  });

  it('starts with a clean sheet after five minutes without a failure', () => {
    const failed = new EngineCooldowns();
    failed.add('a', 'failed', 0);
    failed.add('a', 'failed', 300_001);
    expect(failed.pardonMs(300_001)).toBe(10_000);
  });
});
