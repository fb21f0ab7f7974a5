import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CircuitBreaker, type CircuitPermit } from './circuit-breaker.js';

const TIMEOUT = 300_000;

function make(threshold = 3): CircuitBreaker {
  return new CircuitBreaker({ threshold, timeoutMs: TIMEOUT });
}

function failTimes(breaker: CircuitBreaker, times: number, now: number): void {
  for (let count = 0; count < times; count += 1) breaker.fail(breaker.acquire(now) as CircuitPermit, now);
}

describe('the circuit breaker', () => {
  it('opens at the threshold, and only the last failure reports it', () => {
    const breaker = make();
    const permits = [1, 2, 3].map(() => breaker.acquire(0) as CircuitPermit);
    expect(permits.map((permit) => breaker.fail(permit, 0))).toEqual([false, false, true]);
    expect(breaker.state(0)).toBe('open');
    expect(breaker.acquire(0)).toBeNull();
    expect(breaker.retryInMs(1000)).toBe(TIMEOUT - 1000);
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
      fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 4 }), (steps, threshold) => {
        const breaker = make(threshold);
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
