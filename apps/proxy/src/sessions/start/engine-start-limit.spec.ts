import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../../../test/doubles/fake-clock.js';
import { Pending } from '../../../../../test/doubles/proxy/sessions.fixture.js';
import { EngineStartLimit, MAX_STARTS } from './engine-start-limit.js';

const E1 = { host: 'e1', port: 1 };
const never = new AbortController().signal;

/** An engine on which as many starts as possible wait for a reply. */
function fullEngine() {
  const clock = new FakeClock();
  const limit = new EngineStartLimit(clock);
  const replies = Array.from({ length: MAX_STARTS }, () => new Pending<void>());
  const started: string[] = [];
  const done = replies.map((reply, index) =>
    limit
      .run(E1, 1000, never, () => {
        started.push(`${index}`);
        return reply.promise;
      })
      .catch(() => undefined),
  );
  const start = (name: string, signal = never, engine = E1): Promise<string> =>
    limit
      .run(engine, 1000, signal, async () => void started.push(name))
      .then(
        () => 'started',
        (error: Error) => error.message,
      );
  return { clock, replies, started, done, start };
}

describe('starts on one engine', () => {
  it('run side by side up to a limit; further ones wait for a place, also when it becomes free by a failure', async () => {
    const { replies, started, start, done } = fullEngine();
    await settle();
    expect(started).toHaveLength(MAX_STARTS);
    const next = [start('17'), start('18')];
    await start('elsewhere', never, { host: 'e2', port: 1 });
    expect(started.slice(MAX_STARTS)).toEqual(['elsewhere']);
    replies[5].reject(new Error('refused'));
    replies[0].resolve();
    expect(await Promise.all(next)).toEqual(['started', 'started']);
    for (const reply of replies) reply.resolve();
    await Promise.all(done);
  });

  it('a start that is cancelled while it waits does not run and blocks nobody', async () => {
    const { replies, started, start } = fullEngine();
    const abort = new AbortController();
    const second = start('cancelled', abort.signal);
    const third = start('third');
    abort.abort(new Error('gone'));
    expect(await second).toBe('gone');
    replies[0].resolve();
    expect(await third).toBe('started');
    expect(started).not.toContain('cancelled');
  });

  it('a start that is cancelled at the moment of its turn passes its place on', async () => {
    const { replies, start } = fullEngine();
    const abort = new AbortController();
    const second = start('cancelled', abort.signal);
    const third = start('third');
    await settle();
    replies[0].resolve();
    abort.abort(new Error('gone'));
    expect(await second).toBe('gone');
    expect(await third).toBe('started');
  });

  it('a start that waits too long fails with the reason that it was not asked', async () => {
    const { clock, start } = fullEngine();
    const late = start('late');
    await clock.advanceAndSettle(1000);
    expect(await late).toBe(`not asked: ${MAX_STARTS} earlier starts had no reply yet`);
    expect(clock.pending).toBe(0);
  });
});
