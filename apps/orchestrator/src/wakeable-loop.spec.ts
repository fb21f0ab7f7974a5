import { createLog, SILENT_LOG } from '@acexy/service-kit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WakeableLoop } from './wakeable-loop.js';

describe('a loop that can be woken', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function loop(round: (signal: AbortSignal) => Promise<number | void>, gapMs?: number): WakeableLoop {
    return new WakeableLoop({ name: 'test', intervalMs: 1000, gapMs, round, log: SILENT_LOG });
  }

  it('runs at once, then every interval, until it is stopped', async () => {
    const round = vi.fn(async () => {});
    const each = loop(round);
    each.start();
    await vi.advanceTimersByTimeAsync(2500);
    expect(round).toHaveBeenCalledTimes(3);
    await each.stop();
    await vi.advanceTimersByTimeAsync(5000);
    expect(round).toHaveBeenCalledTimes(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('makes one round of many wake-ups, and loses none that comes during a round', async () => {
    let finish = (): void => {};
    const round = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    const each = loop(round);
    each.start();
    for (let i = 0; i < 10; i++) each.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(round).toHaveBeenCalledTimes(1);
    each.wake();
    each.wake();
    finish();
    await vi.advanceTimersByTimeAsync(0);
    expect(round).toHaveBeenCalledTimes(2);
    finish();
    await vi.advanceTimersByTimeAsync(500);
    expect(round).toHaveBeenCalledTimes(2);
  });

  it('survives a round that throws, and says so', async () => {
    const lines: string[] = [];
    const log = createLog({ service: 't', level: 'INFO', destination: { write: (line) => lines.push(line) } });
    const round = vi.fn(async () => {
      throw new Error('out of luck');
    });
    const each = new WakeableLoop({ name: 'test', intervalMs: 1000, round, log });
    each.start();
    await vi.advanceTimersByTimeAsync(1000);
    expect(round).toHaveBeenCalledTimes(2);
    expect(lines.join()).toContain('out of luck');
    await each.stop();
  });

  it('comes back sooner where a round asks for it, never later than the interval', async () => {
    const round = vi.fn(async () => 100);
    const each = loop(round);
    each.start();
    await vi.advanceTimersByTimeAsync(250);
    expect(round).toHaveBeenCalledTimes(3);
    round.mockImplementation(async () => 99_999);
    await vi.advanceTimersByTimeAsync(1100);
    expect(round).toHaveBeenCalledTimes(5);
    await each.stop();
  });

  it('leaves a gap between the rounds of a storm', async () => {
    const round = vi.fn(async () => {});
    const each = loop(round, 50);
    each.start();
    for (let i = 0; i < 100; i++) {
      each.wake();
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(round.mock.calls.length).toBeLessThanOrEqual(4);
    await each.stop();
  });

  it('is not woken before it was started, and stopping waits for the round under way', async () => {
    let finish = (): void => {};
    const each = loop(() => new Promise<void>((resolve) => (finish = resolve)));
    each.wake();
    expect(vi.getTimerCount()).toBe(0);
    each.start();
    await vi.advanceTimersByTimeAsync(0);
    let stopped = false;
    const stopping = each.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(stopped).toBe(false);
    finish();
    await stopping;
  });
});
