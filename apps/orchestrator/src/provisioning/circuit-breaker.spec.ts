import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CircuitBreaker, type CircuitPermit } from './circuit-breaker.js';

const TIMEOUT = 300_000;

function make(threshold = 3, isUrgent = () => false): CircuitBreaker {
  return new CircuitBreaker({ threshold, timeoutMs: TIMEOUT, isUrgent });
}

function failTimes(breaker: CircuitBreaker, times: number, now: number): void {
  for (let count = 0; count < times; count += 1) breaker.fail(breaker.acquire(now) as CircuitPermit, now);
}

describe('the circuit breaker', () => {
  it('opens at the threshold, and only the last failure reports it', () => {
    const breaker = make();
    const opened = [1, 2, 3].map(() => breaker.fail(breaker.acquire(0) as CircuitPermit, 0));
    expect(opened).toEqual([false, false, true]);
    expect(breaker.state(0)).toBe('open');
    expect(breaker.acquire(0)).toBeNull();
    expect(breaker.retryInMs(1000)).toBe(TIMEOUT - 1000);
  });

  it('counts starts that were in flight when the first of them failed once, and starts after that again', () => {
    const breaker = make();
    const incident = Array.from({ length: 6 }, () => breaker.acquire(0) as CircuitPermit);
    for (const [index, permit] of incident.entries()) breaker.fail(permit, index);
    expect([breaker.state(10), breaker.report(10).failures]).toEqual(['closed', 1]);
    const second = [1, 2].map(() => breaker.acquire(10) as CircuitPermit);
    for (const permit of second) breaker.fail(permit, 20);
    expect([breaker.state(20), breaker.report(20).failures]).toEqual(['closed', 2]);
    expect(breaker.fail(breaker.acquire(30) as CircuitPermit, 40)).toBe(true);
    expect(breaker.state(40)).toBe('open');
  });

  it('a success among starts in flight does not make the others count as a second incident', () => {
    const breaker = make(2);
    const [first, good, last] = [1, 2, 3].map(() => breaker.acquire(0) as CircuitPermit);
    breaker.fail(first, 1);
    breaker.succeed(good);
    breaker.fail(last, 2);
    expect([breaker.state(2), breaker.report(2).failures]).toEqual(['closed', 0]);
  });

  it('when it is urgent, single trials come after 5, 10, 20 s … up to the timeout, and its report names the next one', () => {
    const breaker = make(1, () => true);
    let now = 0;
    breaker.fail(breaker.acquire(now) as CircuitPermit, now);
    const delays = Array.from({ length: 8 }, () => {
      const { retryInSeconds } = breaker.report(now);
      expect(breaker.acquire(now + retryInSeconds * 1000 - 1)).toBeNull();
      now += retryInSeconds * 1000;
      const trial = breaker.acquire(now) as CircuitPermit;
      expect([trial.trial, breaker.acquire(now)]).toEqual([true, null]);
      breaker.fail(trial, now);
      return retryInSeconds;
    });
    expect(delays).toEqual([5, 10, 20, 40, 80, 160, 300, 300]);
    breaker.succeed(breaker.acquire(now + TIMEOUT) as CircuitPermit);
    breaker.fail(breaker.acquire(now + TIMEOUT) as CircuitPermit, now + TIMEOUT);
    expect(breaker.report(now + TIMEOUT).retryInSeconds).toBe(5);
  });

  it('permits a trial at once when it becomes urgent long after it opened, and waits again when it is no longer urgent', () => {
    let urgent = false;
    const breaker = make(1, () => urgent);
    breaker.fail(breaker.acquire(0) as CircuitPermit, 0);
    expect([breaker.state(60_000), breaker.report(60_000).retryInSeconds]).toEqual(['open', 240]);
    urgent = true;
    expect([breaker.state(60_000), breaker.report(60_000).retryInSeconds]).toEqual(['half_open', 0]);
    urgent = false;
    expect(breaker.state(60_000)).toBe('open');
  });

  it('a success does not hide the outcomes of other starts in flight', () => {
    const breaker = make(2);
    const [first, second] = [breaker.acquire(0)!, breaker.acquire(0)!];
    breaker.succeed(first);
    breaker.fail(second, 1);
    expect(breaker.report(1).failures).toBe(1);
  });

  it('reports whole seconds, rounded up, and none while it is closed', () => {
    const breaker = make(1);
    expect(breaker.report(0)).toMatchObject({ state: 'closed', timeoutSeconds: TIMEOUT / 1000, retryInSeconds: 0 });
    breaker.fail(breaker.acquire(0)!, 0);
    expect([breaker.report(1).retryInSeconds, breaker.report(TIMEOUT - 1).retryInSeconds]).toEqual([TIMEOUT / 1000, 1]);
  });

  it('counts failures in a row: a success resets the count', () => {
    const breaker = make();
    failTimes(breaker, 2, 0);
    breaker.succeed(breaker.acquire(0) as CircuitPermit);
    failTimes(breaker, 2, 0);
    expect(breaker.state(0)).toBe('closed');
  });

  it('permits one trial at a time when half open', () => {
    const breaker = make();
    failTimes(breaker, 3, 0);
    expect(breaker.state(TIMEOUT)).toBe('half_open');
    const trial = breaker.acquire(TIMEOUT) as CircuitPermit;
    expect(breaker.acquire(TIMEOUT)).toBeNull();
    breaker.succeed(trial);
    expect(breaker.state(TIMEOUT)).toBe('closed');
    expect(breaker.report(0).failures).toBe(0);
  });

  it('a failed trial opens it again for the whole timeout', () => {
    const breaker = make();
    failTimes(breaker, 3, 0);
    expect(breaker.fail(breaker.acquire(TIMEOUT) as CircuitPermit, TIMEOUT + 10)).toBe(true);
    expect(breaker.state(2 * TIMEOUT)).toBe('open');
    expect(breaker.state(2 * TIMEOUT + 10)).toBe('half_open');
  });

  it('permits another trial when one was abandoned or has no outcome within the timeout', () => {
    const breaker = make();
    failTimes(breaker, 3, 0);
    breaker.abandon(breaker.acquire(TIMEOUT) as CircuitPermit);
    const lost = breaker.acquire(TIMEOUT) as CircuitPermit;
    expect(breaker.acquire(2 * TIMEOUT - 1)).toBeNull();
    const second = breaker.acquire(2 * TIMEOUT);
    expect(second).not.toBeNull();
    breaker.succeed(lost);
    expect(breaker.state(2 * TIMEOUT)).toBe('half_open');
  });

  it('ignores outcomes of attempts from before it opened', () => {
    const breaker = make(1);
    const [old, bad] = [breaker.acquire(0), breaker.acquire(0)] as CircuitPermit[];
    breaker.fail(bad, 0);
    breaker.succeed(old);
    expect(breaker.state(0)).toBe('open');
    expect(breaker.fail(old, 100)).toBe(false);
    expect(breaker.retryInMs(100)).toBe(TIMEOUT - 100);
  });

  it('a reset closes it, and outcomes of earlier attempts are ignored', () => {
    const breaker = make(2);
    failTimes(breaker, 2, 0);
    const trial = breaker.acquire(TIMEOUT) as CircuitPermit;
    breaker.reset();
    expect([breaker.state(TIMEOUT), breaker.report(TIMEOUT).failures, breaker.retryInMs(TIMEOUT)]).toEqual(['closed', 0, 0]);
    expect(breaker.fail(trial, TIMEOUT)).toBe(false);
    failTimes(breaker, 1, TIMEOUT);
    expect(breaker.state(TIMEOUT)).toBe('closed');
  });

  it('never permits two trials at once, and permits nothing while open', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('acquire' as const, 'acquire' as const, 'reset' as const) }),
      fc.record({ do: fc.constantFrom('succeed' as const, 'fail' as const, 'abandon' as const), which: fc.nat() }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: TIMEOUT }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 4 }), fc.boolean(), (steps, threshold, urgent) => {
        const breaker = make(threshold, () => urgent);
        const held: { permit: CircuitPermit; since: number }[] = [];
        let now = 0;
        for (const one of steps) {
          const before = breaker.state(now);
          if (one.do === 'wait') now += one.ms;
          else if (one.do === 'reset') breaker.reset();
          else if (one.do === 'acquire') {
            const permit = breaker.acquire(now);
            if (before === 'open') expect(permit).toBeNull();
            if (before === 'closed') expect(permit).not.toBeNull();
            if (!permit) continue;
            expect(permit.trial).toBe(before === 'half_open');
            held.push({ permit, since: now });
            const current = held.filter(
              ({ permit: { trial, generation }, since }) => trial && generation === permit.generation && now - since < TIMEOUT,
            );
            expect(current.length).toBeLessThanOrEqual(1);
          } else if ('which' in one && held.length > 0) {
            const [{ permit }] = held.splice(one.which % held.length, 1);
            if (one.do === 'fail') breaker.fail(permit, now);
            else breaker[one.do](permit);
          }
          expect(breaker.permits(now) && breaker.state(now) === 'open').toBe(false);
          if (breaker.state(now) === 'closed') expect(breaker.report(now).failures).toBeLessThan(threshold);
        }
      }),
      { numRuns: 500 },
    );
  });
});
