import { describe, expect, it } from 'vitest';
import { StartBackoff } from './start-backoff.js';

describe('the delay after failed starts', () => {
  it('doubles with every failure up to 30 s and ends with a success', () => {
    const backoff = new StartBackoff(() => 1);
    const delays: number[] = [];
    for (let now = 0, i = 0; i < 8; i++) {
      backoff.failed(now);
      delays.push(backoff.delayMs(now));
      now += backoff.delayMs(now);
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    backoff.clear();
    expect(backoff.delayMs(0)).toBe(0);
  });

  it('counts engines that fail together as one failure', () => {
    const backoff = new StartBackoff(() => 1);
    for (let i = 0; i < 5; i++) backoff.failed(0);
    expect(backoff.delayMs(0)).toBe(1000);
  });

  it('has a random part, so that services do not retry together', () => {
    const backoff = new StartBackoff(() => 0);
    backoff.failed(0);
    expect(backoff.delayMs(0)).toBe(500);
  });
});
