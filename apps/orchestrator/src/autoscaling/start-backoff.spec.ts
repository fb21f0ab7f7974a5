import { describe, expect, it } from 'vitest';
import { StartBackoff } from './start-backoff.js';

describe('the pause after failed starts', () => {
  it('doubles with every failure up to half a minute, and ends with a success', () => {
    const backoff = new StartBackoff(() => 1);
    const delays: number[] = [];
    for (let now = 0, i = 0; i < 8; i++) {
      backoff.failed(now);
      delays.push(backoff.delayMs(now));
      now += backoff.delayMs(now);
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    backoff.succeeded();
    expect(backoff.delayMs(0)).toBe(0);
  });

  it('engines that fail together are one failure', () => {
    const backoff = new StartBackoff(() => 1);
    for (let i = 0; i < 5; i++) backoff.failed(0);
    expect(backoff.delayMs(0)).toBe(1000);
  });

  it('is spread by chance, so that services do not knock in step', () => {
    const backoff = new StartBackoff(() => 0);
    backoff.failed(0);
    expect(backoff.delayMs(0)).toBe(500);
  });
});
