import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { MAX_TIMER_MS, SystemClock } from './clock.js';

describe('a timer', () => {
  it.each([MAX_TIMER_MS + 1, 1e15, Infinity])('of %d ms does not fire at once', (ms) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let fired = false;
    new SystemClock().setTimeout(() => (fired = true), ms);
    vi.advanceTimersByTime(1000);
    expect(fired).toBe(false);
    vi.advanceTimersByTime(MAX_TIMER_MS);
    expect(fired).toBe(true);
  });
});
