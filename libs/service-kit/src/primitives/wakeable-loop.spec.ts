import { createLog, SILENT_LOG } from '../logging/log.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WakeableLoop } from './wakeable-loop.js';

describe('a wakeable loop', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function loop(round: (signal: AbortSignal) => Promise<number | void>, gapMs?: number): WakeableLoop {
    return new WakeableLoop({ name: 'test', intervalMs: 1000, gapMs, round, log: SILENT_LOG });
  }

  it('runs a round at once and then every interval until it is stopped', async () => {
    const round = vi.fn(async () => {});
    const tested = loop(round);
    tested.start();
    await vi.advanceTimersByTimeAsync(2500);
    expect(round).toHaveBeenCalledTimes(3);
    await tested.stop();
    await vi.advanceTimersByTimeAsync(5000);
    expect(round).toHaveBeenCalledTimes(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('runs one round for many wake-ups, and another one for wake-ups during a round', async () => {
    let finish = (): void => {};
    const round = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    const tested = loop(round);
    tested.start();
    for (let i = 0; i < 10; i++) tested.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(round).toHaveBeenCalledTimes(1);
    tested.wake();
    tested.wake();
    finish();
    await vi.advanceTimersByTimeAsync(0);
    expect(round).toHaveBeenCalledTimes(2);
    finish();
    await vi.advanceTimersByTimeAsync(500);
    expect(round).toHaveBeenCalledTimes(2);
  });

  it('logs a round that throws and continues', async () => {
    const lines: string[] = [];
    const log = createLog({ service: 't', level: 'INFO', destination: { write: (line) => lines.push(line) } });
    const round = vi.fn(async () => {
      throw new Error('broken');
    });
    const tested = new WakeableLoop({ name: 'test', intervalMs: 1000, round, log });
    tested.start();
    await vi.advanceTimersByTimeAsync(1000);
    expect(round).toHaveBeenCalledTimes(2);
    expect(lines.join()).toContain('broken');
    await tested.stop();
  });

  it('runs the next round when the last one asks for it, at the latest after the interval', async () => {
    const round = vi.fn(async () => 100);
    const tested = loop(round);
    tested.start();
    await vi.advanceTimersByTimeAsync(250);
    expect(round).toHaveBeenCalledTimes(3);
    round.mockImplementation(async () => 99_999);
    await vi.advanceTimersByTimeAsync(1100);
    expect(round).toHaveBeenCalledTimes(5);
    await tested.stop();
  });

  it('keeps the minimum gap between rounds when woken all the time', async () => {
    const round = vi.fn(async () => {});
    const tested = loop(round, 50);
    tested.start();
    for (let i = 0; i < 100; i++) {
      tested.wake();
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(round.mock.calls.length).toBeLessThanOrEqual(4);
    await tested.stop();
  });

  it('does nothing before its start, and stop waits for the current round', async () => {
    let finish = (): void => {};
    const tested = loop(() => new Promise<void>((resolve) => (finish = resolve)));
    tested.wake();
    expect(vi.getTimerCount()).toBe(0);
    tested.start();
    await vi.advanceTimersByTimeAsync(0);
    let stopped = false;
    const stopping = tested.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(stopped).toBe(false);
    finish();
    await stopping;
  });
});
