import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '@acexy/service-kit/primitives';
import { ProvisioningQueue, type ProvisioningQueueLimits } from './provisioning-queue.js';

const LIMITS: ProvisioningQueueLimits = { maxConcurrent: 2, minIntervalMs: 500, maxWaiting: 10, timeoutMs: 60_000 };

function make(limits: Partial<ProvisioningQueueLimits> = {}): ProvisioningQueue<'api' | 'autoscaler'> {
  return new ProvisioningQueue(['api', 'autoscaler'], { ...LIMITS, ...limits }, new SystemClock());
}

/** A start that takes `ms` milliseconds and records when it began. */
function work(starts: number[], ms: number) {
  return (signal: AbortSignal) =>
    new Promise<number>((resolve, reject) => {
      starts.push(performance.now());
      const timer = setTimeout(() => resolve(starts.length), ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
}

describe('the provisioning queue', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('begins the first start at once and the next one an interval later', async () => {
    const queue = make();
    const starts: number[] = [];
    const zero = performance.now();
    const both = Promise.all([queue.run('api', work(starts, 10)), queue.run('api', work(starts, 10))]);
    await vi.runAllTimersAsync();
    await both;
    expect(starts.map((at) => at - zero)).toEqual([0, 500]);
  });

  it('never exceeds its limit of simultaneous starts', async () => {
    const queue = make({ minIntervalMs: 0 });
    const starts: number[] = [];
    const all = [1, 2, 3, 4].map(() => queue.run('api', work(starts, 1000)));
    await vi.advanceTimersByTimeAsync(999);
    expect([starts.length, queue.inProgress, queue.waiting]).toEqual([2, 2, 2]);
    await vi.advanceTimersByTimeAsync(1001);
    expect(starts).toHaveLength(4);
    await vi.runAllTimersAsync();
    await Promise.all(all);
  });

  it('serves origins round-robin, each in order', async () => {
    const queue = make({ maxConcurrent: 1, minIntervalMs: 0 });
    const order: string[] = [];
    const task = (label: string) => async () => void order.push(label);
    const all = [
      ...['a1', 'a2', 'a3', 'a4'].map((label) => queue.run('autoscaler', task(label))),
      ...['u1', 'u2'].map((label) => queue.run('api', task(label))),
    ];
    await vi.runAllTimersAsync();
    await Promise.all(all);
    expect(order).toEqual(['a1', 'u1', 'a2', 'u2', 'a3', 'a4']);
  });

  it('rejects a request at once when too many wait', async () => {
    const queue = make({ maxWaiting: 1 });
    const first = queue.run('api', work([], 10));
    const second = queue.run('api', work([], 10));
    await expect(queue.run('api', work([], 10))).rejects.toMatchObject({ code: 'queue_full' });
    await vi.runAllTimersAsync();
    await Promise.all([first, second]);
  });

  it('estimates the wait from interval, concurrency and duration of starts', async () => {
    const queue = make({ maxConcurrent: 2, minIntervalMs: 500 });
    expect(queue.expectedWaitMs('api')).toBe(0);
    const all = [1, 2, 3].map(() => queue.run('api', work([], 8000)));
    expect(queue.expectedWaitMs('api')).toBe(1500);
    await vi.advanceTimersByTimeAsync(500);
    // No start has ended yet: only the interval is known.
    expect([queue.inProgress, queue.expectedWaitMs('api')]).toEqual([2, 1000]);
    await vi.advanceTimersByTimeAsync(7500);
    expect([queue.inProgress, queue.waiting, queue.expectedWaitMs('api')]).toEqual([2, 0, 8000]);
    await vi.runAllTimersAsync();
    await Promise.all(all);
    expect(queue.expectedWaitMs('api')).toBe(0);
  });

  it('counts only those requests of the other origin that are served earlier', async () => {
    const queue = make({ maxConcurrent: 1, minIntervalMs: 1000, maxWaiting: 30 });
    const all = [...Array<number>(20)].map(() => queue.run('autoscaler', work([], 10)));
    expect([queue.expectedWaitMs('api'), queue.expectedWaitMs('autoscaler')]).toEqual([2000, 20_000]);
    await vi.runAllTimersAsync();
    await Promise.all(all);
  });

  it('rejects a request that would wait longer than its caller at once, and says when the queue will be short enough', async () => {
    const queue = make({ maxConcurrent: 1, minIntervalMs: 1000 });
    const all = [1, 2, 3, 4].map(() => queue.run('api', work([], 10)));
    const error = await queue.run('api', work([], 10), 2500).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'queue_too_long', shorterInMs: 1500 });
    await vi.advanceTimersByTimeAsync(1500);
    const late = queue.run('api', work([], 10), 2500);
    await vi.runAllTimersAsync();
    await Promise.all([...all, late]);
  });

  it('revokes the newest requests of an origin, never running starts or another origin', async () => {
    const queue = make({ maxConcurrent: 1, minIntervalMs: 0 });
    const ordered = Promise.allSettled([1, 2, 3].map(() => queue.run('autoscaler', work([], 10))));
    const other = queue.run('api', work([], 10));
    expect([queue.revoke('autoscaler', 1), queue.revoke('autoscaler', 5), queue.revoke('autoscaler', 1)]).toEqual([1, 1, 0]);
    await vi.runAllTimersAsync();
    expect((await ordered).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect((await ordered)[2]).toMatchObject({ reason: { code: 'queue_revoked' } });
    await other;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('includes the wait in the time limit', async () => {
    const queue = make({ maxConcurrent: 1, timeoutMs: 5000 });
    const starts: number[] = [];
    const outcomes = Promise.allSettled([
      queue.run('api', work(starts, 4900)),
      queue.run('api', work(starts, 4900)),
      queue.run('api', work(starts, 10)),
    ]);
    await vi.runAllTimersAsync();
    const [first, second, third] = await outcomes;
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ reason: { code: 'start_timeout' } });
    expect(third).toMatchObject({ reason: { code: 'queue_timeout' } });
    expect(starts).toHaveLength(2);
  });

  it('answers in time when a start ignores its signal, and counts it as running until it ends', async () => {
    const queue = make({ maxConcurrent: 1, timeoutMs: 1000 });
    let finish = (): void => {};
    const ignoring = queue.run('api', () => new Promise<void>((resolve) => (finish = resolve))).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await ignoring).toMatchObject({ code: 'start_timeout' });
    expect(queue.inProgress).toBe(1);
    finish();
    await vi.advanceTimersByTimeAsync(0);
    expect(queue.inProgress).toBe(0);
  });

  it('frees the place before the caller continues', async () => {
    const queue = make();
    await queue.run('api', async () => {});
    expect(queue.inProgress).toBe(0);
  });

  it('continues after a failed start', async () => {
    const queue = make({ maxConcurrent: 1 });
    const failing = queue.run('api', async () => Promise.reject(new Error('broken'))).catch((error: unknown) => error);
    const next = queue.run('api', async () => 'done');
    await vi.runAllTimersAsync();
    expect(await failing).toMatchObject({ message: 'broken' });
    expect(await next).toBe('done');
  });

  it('on close rejects waiting requests, aborts running starts, waits for them, and leaves no timer', async () => {
    const queue = make({ maxConcurrent: 1 });
    const outcomes = Promise.allSettled([queue.run('api', work([], 10_000)), queue.run('api', work([], 10))]);
    await vi.advanceTimersByTimeAsync(1);
    await queue.close();
    expect(await outcomes).toMatchObject([{ reason: { code: 'queue_closed' } }, { reason: { code: 'queue_closed' } }]);
    expect(queue.inProgress + queue.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    await expect(queue.run('api', work([], 1))).rejects.toMatchObject({ code: 'queue_closed' });
  });

  it('keeps limit, interval and order, answers every request, and ends empty, for any requests', async () => {
    const task = fc.record({
      afterMs: fc.integer({ min: 0, max: 1500 }),
      lane: fc.constantFrom('api' as const, 'autoscaler' as const),
      takesMs: fc.integer({ min: 0, max: 4000 }),
      ends: fc.constantFrom('well', 'badly', 'late'),
    });
    const limits = fc.record({
      maxConcurrent: fc.integer({ min: 1, max: 4 }),
      minIntervalMs: fc.constantFrom(0, 100, 700),
      maxWaiting: fc.integer({ min: 1, max: 8 }),
      timeoutMs: fc.constantFrom(1000, 5000, 20_000),
    });
    await fc.assert(
      fc.asyncProperty(limits, fc.array(task, { maxLength: 30 }), async (given, tasks) => {
        const queue = make(given);
        const starts: number[] = [];
        const order: Record<string, number[]> = { api: [], autoscaler: [] };
        let running = 0;
        let most = 0;
        let answered = 0;
        for (const [index, { afterMs, lane, takesMs, ends }] of tasks.entries()) {
          await vi.advanceTimersByTimeAsync(afterMs);
          const body = async (signal: AbortSignal): Promise<void> => {
            running += 1;
            most = Math.max(most, running);
            starts.push(performance.now());
            order[lane].push(index);
            try {
              await new Promise<void>((resolve, reject) => {
                setTimeout(() => (ends === 'badly' ? reject(new Error('badly')) : resolve()), takesMs);
                // A late one ignores the signal.
                if (ends !== 'late') signal.addEventListener('abort', () => reject(signal.reason as Error));
              });
            } finally {
              running -= 1;
            }
          };
          queue.run(lane, body).then(
            () => (answered += 1),
            () => (answered += 1),
          );
          expect(queue.waiting).toBeLessThanOrEqual(given.maxWaiting);
        }
        await vi.runAllTimersAsync();
        expect(answered).toBe(tasks.length);
        expect(most).toBeLessThanOrEqual(given.maxConcurrent);
        expect([queue.inProgress, queue.waiting, running]).toEqual([0, 0, 0]);
        for (let at = 1; at < starts.length; at += 1)
          expect(starts[at] - starts[at - 1]).toBeGreaterThanOrEqual(given.minIntervalMs - 1e-6);
        for (const lane of Object.values(order)) expect(lane).toEqual([...lane].sort((a, b) => a - b));
      }),
      { numRuns: 150 },
    );
  });
});
