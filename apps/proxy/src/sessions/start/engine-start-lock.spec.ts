import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../../test/doubles/fake-clock.js';
import { EngineStartLock } from './engine-start-lock.js';
import { Pending } from '../../../../../test/doubles/proxy/sessions.fixture.js';

const E1 = { host: 'e1', port: 1 };
const never = new AbortController().signal;

describe('starts on one engine', () => {
  it('run one after the other, also when one fails; starts on another engine do not wait', async () => {
    const lock = new EngineStartLock(new FakeClock());
    const order: string[] = [];
    const first = new Pending<void>();
    const run = (name: string, engine = E1) => lock.exclusive(engine, 1000, never, async () => void order.push(name));
    const failing = lock.exclusive(E1, 1000, never, () => first.promise).catch(() => order.push('failed'));
    const second = run('second');
    await run('elsewhere', { host: 'e2', port: 1 });
    expect(order).toEqual(['elsewhere']);
    first.reject(new Error('refused'));
    await Promise.all([failing, second]);
    expect(order.slice().sort()).toEqual(['elsewhere', 'failed', 'second']);
  });

  it('a start that is cancelled while it waits does not run and blocks nobody', async () => {
    const lock = new EngineStartLock(new FakeClock());
    const first = new Pending<void>();
    const abort = new AbortController();
    const order: string[] = [];
    void lock.exclusive(E1, 1000, never, () => first.promise);
    const second = lock
      .exclusive(E1, 1000, abort.signal, async () => void order.push('second'))
      .catch((error: Error) => order.push(error.message));
    const third = lock.exclusive(E1, 1000, never, async () => void order.push('third'));
    abort.abort(new Error('gone'));
    await second;
    await settle();
    expect(order).toEqual(['gone']);
    first.resolve();
    await third;
    expect(order).toEqual(['gone', 'third']);
  });

  it('a start that waits too long for the lock fails: an engine that hangs does not block a start forever', async () => {
    const clock = new FakeClock();
    const lock = new EngineStartLock(clock);
    const first = new Pending<void>();
    const order: string[] = [];
    void lock.exclusive(E1, 1000, never, () => first.promise);
    const second = lock
      .exclusive(E1, 1000, never, async () => void order.push('second'))
      .catch((error: { code: string }) => order.push(error.code));
    await clock.advanceAndSettle(1000);
    await second;
    const third = lock.exclusive(E1, 1000, never, async () => void order.push('third'));
    first.resolve();
    await third;
    expect(order).toEqual(['engine_timeout', 'third']);
    expect(clock.pending).toBe(0);
  });
});
