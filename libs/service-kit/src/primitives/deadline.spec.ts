import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { pause, sleep, withDeadline, within } from './deadline.js';

const never = (): AbortSignal => new AbortController().signal;

describe('sleep', () => {
  it('resolves at its time', async () => {
    const clock = new FakeClock();
    let awake = false;
    void sleep(clock, 100, never()).then(() => (awake = true));
    await clock.advanceAndSettle(99);
    expect(awake).toBe(false);
    await clock.advanceAndSettle(1);
    expect(awake).toBe(true);
  });

  it('rejects with the reason of the signal and leaves no timer behind', async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const asleep = sleep(clock, 100, abort.signal);
    abort.abort(new Error('shutdown'));
    await expect(asleep).rejects.toThrow('shutdown');
    expect(clock.pending).toBe(0);
  });

  it('rejects at once when the signal has aborted before', async () => {
    const clock = new FakeClock();
    await expect(sleep(clock, 100, AbortSignal.abort(new Error('shutdown')))).rejects.toThrow('shutdown');
    expect(clock.pending).toBe(0);
  });
});

describe('pause', () => {
  it('resolves at its time', async () => {
    const clock = new FakeClock();
    const paused = pause(clock, 100, never());
    await clock.advanceAndSettle(100);
    await paused;
  });

  it('resolves when the signal aborts, and leaves no timer behind', async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const paused = pause(clock, 100, abort.signal);
    abort.abort();
    await paused;
    expect(clock.pending).toBe(0);
  });

  it('resolves at once when the signal has aborted before', async () => {
    await pause(new FakeClock(), 100, AbortSignal.abort());
  });
});

describe('within', () => {
  const onLimit = (): Error => new Error('too late');

  it('settles like the promise, and leaves no timer behind', async () => {
    const clock = new FakeClock();
    await expect(within(clock, Promise.resolve('result'), 100, onLimit, never())).resolves.toBe('result');
    await expect(within(clock, Promise.reject(new Error('failed')), 100, onLimit, never())).rejects.toThrow('failed');
    await clock.advanceAndSettle(0);
    expect(clock.pending).toBe(0);
  });

  it('rejects with the given error at the limit', async () => {
    const clock = new FakeClock();
    const limited = within(clock, new Promise(() => undefined), 100, onLimit, never());
    const rejected = expect(limited).rejects.toThrow('too late');
    await clock.advanceAndSettle(100);
    await rejected;
  });

  it('rejects with the reason of the signal, whether it aborts before or during the wait', async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const limited = within(clock, new Promise(() => undefined), 100, onLimit, abort.signal);
    abort.abort(new Error('shutdown'));
    await expect(limited).rejects.toThrow('shutdown');
    await expect(within(clock, new Promise(() => undefined), 100, onLimit, abort.signal)).rejects.toThrow('shutdown');
    expect(clock.pending).toBe(0);
  });
});

describe('withDeadline', () => {
  const onLimit = (): Error => new Error('too late');
  /** Work that ends only when it is aborted, with an error of its own. */
  const untilAborted = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('interrupted'))));

  it('settles like the work, and leaves no timer behind', async () => {
    const clock = new FakeClock();
    await expect(withDeadline(clock, 100, onLimit, [never()], () => Promise.resolve('result'))).resolves.toBe('result');
    await expect(withDeadline(clock, 100, onLimit, [undefined], () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(clock.pending).toBe(0);
  });

  it('aborts the work at the limit and rejects with the given error', async () => {
    const clock = new FakeClock();
    const rejected = expect(withDeadline(clock, 100, onLimit, [], untilAborted)).rejects.toThrow('too late');
    clock.advance(100);
    await rejected;
  });

  it('aborts the work with any of the signals and rejects with its reason', async () => {
    const clock = new FakeClock();
    for (const which of [0, 1]) {
      const callers = [new AbortController(), new AbortController()];
      const signals = callers.map(({ signal }) => signal);
      const rejected = expect(withDeadline(clock, 100, onLimit, signals, untilAborted)).rejects.toThrow('shutdown');
      callers[which].abort(new Error('shutdown'));
      await rejected;
    }
    expect(clock.pending).toBe(0);
  });

  it('does not start the work when a signal has aborted before', async () => {
    const signal = AbortSignal.abort(new Error('shutdown'));
    const work = (): Promise<never> => expect.unreachable('started');
    await expect(withDeadline(new FakeClock(), 100, onLimit, [never(), signal], work)).rejects.toThrow('shutdown');
  });
});
