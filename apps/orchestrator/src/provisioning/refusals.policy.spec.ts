import { describe, expect, it } from 'vitest';
import { NoSuchNetworkError, NotPreparedError, PortTakenError, RuntimeUnreachableError } from '../runtime/engine-runtime.js';
import { NoVpnSlotError } from '../vpn/vpn-slots.policy.js';
import { EngineRequestError } from './engine-spec.plan.js';
import { NoPortsLeftError, PortOwnedError } from './port-allocator.js';
import { QueueError } from './provisioning-queue.js';
import { capacityRefusal, circuitRefusal, countsAsFailure, ProvisioningRefusedError, refusalOf } from './refusals.policy.js';

const noPorts = new NoPortsLeftError('http', { first: 1, last: 2 });

describe('the refusal of a start', () => {
  const circuit = { failures: 3, threshold: 3, timeoutSeconds: 60, retryInSeconds: 42, lastFailure: null, trial: null };

  it('of an open circuit breaker names the failures in a row and the time of the next trial', () => {
    expect(circuitRefusal({ ...circuit, state: 'open' }, 30_000).toDetail()).toEqual({
      error: 'provisioning_blocked',
      code: 'circuit_breaker',
      message: 'Circuit breaker open after 3 failures in a row: the next trial is in 42 s',
      recovery_eta_seconds: 42,
      can_retry: false,
      should_wait: true,
    });
    expect(circuitRefusal({ ...circuit, state: 'open', lastFailure: 'exit code 1' }, 30_000).message).toContain(
      'in 42 s. The last start failed: exit code 1',
    );
  });

  it('of a half-open circuit breaker waits for the outcome of the trial and names where its output is', () => {
    const halfOpen = circuitRefusal({ ...circuit, state: 'half_open' }, 30_000);
    expect(halfOpen).toMatchObject({
      message: 'Circuit breaker half open: a trial start is in progress, wait for its outcome',
      recoveryEtaSeconds: 30,
      canRetry: true,
    });
    expect(circuitRefusal({ ...circuit, state: 'half_open', trial: 'docker logs x' }, 30_000).message).toContain(
      'in progress (docker logs x shows its output), wait',
    );
  });

  it('of an error that waiting does not help is a failure, for which nothing is known to change', () => {
    expect(refusalOf(new Error('broken'), 5000).toDetail()).toEqual({
      error: 'provisioning_failed',
      code: 'general_error',
      message: 'broken',
      recovery_eta_seconds: 0,
      can_retry: false,
      should_wait: false,
    });
    expect(refusalOf('text', 5000).message).toBe('text');
    expect(refusalOf(new QueueError('start_timeout', 'took too long'), 5000).code).toBe('general_error');
  });

  it('of a start that was refused before is the same refusal', () => {
    const refusal = capacityRefusal(7);
    expect(refusalOf(refusal, 5000)).toBe(refusal);
    expect(refusal).toMatchObject({ code: 'max_capacity', recoveryEtaSeconds: 3, canRetry: false, shouldWait: true });
    expect(refusal.message).toContain('the limit of 7 engines is reached');
  });

  it.each<[string, Error, Partial<ProvisioningRefusedError>]>([
    ['an image that is being pulled', new NotPreparedError('40 %'), { code: 'max_capacity', recoveryEtaSeconds: 30, canRetry: false }],
    [
      'an unreachable Docker',
      new RuntimeUnreachableError('no answer'),
      { code: 'runtime_unavailable', recoveryEtaSeconds: 10, canRetry: false },
    ],
    ['a range without free ports', noPorts, { code: 'max_capacity', recoveryEtaSeconds: 3, canRetry: false }],
    ['VPNs that are down or full', new NoVpnSlotError('down'), { code: 'vpn_disconnected', recoveryEtaSeconds: 60, canRetry: true }],
    ['a missing VPN container', new NoSuchNetworkError('gluetun'), { code: 'vpn_error', recoveryEtaSeconds: 60, canRetry: true }],
    ['a shutdown', new QueueError('queue_closed', 'closed'), { code: 'max_capacity', recoveryEtaSeconds: 5, canRetry: true }],
  ])('because of %s says which it is and when to ask again', (_what, error, expected) => {
    expect(refusalOf(error, 5000)).toMatchObject({ ...expected, shouldWait: true });
  });

  it('by a long queue tells the caller when the queue will be short enough, and never to come back at once', () => {
    const etaOf = (shorterInMs: number | undefined, queueMs: number) =>
      refusalOf(new QueueError('queue_too_long', 'full', shorterInMs), queueMs).recoveryEtaSeconds;
    expect(etaOf(9000, 5000)).toBe(9);
    expect(etaOf(undefined, 5000)).toBe(5);
    expect(etaOf(undefined, 5001)).toBe(6);
    expect(etaOf(10, 5000)).toBe(1);
    expect(refusalOf(new QueueError('queue_full', 'full'), 5000)).toMatchObject({ code: 'max_capacity', canRetry: false });
  });
});

describe('the circuit breaker', () => {
  it('counts errors of a start, and a start that took too long', () => {
    expect(countsAsFailure(new Error('exit code 1'))).toBe(true);
    expect(countsAsFailure(new QueueError('start_timeout', 'took too long'))).toBe(true);
  });

  it.each([
    new QueueError('queue_full', 'full'),
    new QueueError('queue_closed', 'closed'),
    new EngineRequestError('wrong'),
    new PortTakenError(80),
    new PortOwnedError(80, 'a'),
    noPorts,
    new NotPreparedError('40 %'),
    new RuntimeUnreachableError('no answer'),
    new NoVpnSlotError('down'),
    new NoSuchNetworkError('gluetun'),
  ])('does not count %s: the engines are not its cause', (error) => {
    expect(countsAsFailure(error)).toBe(false);
  });
});
