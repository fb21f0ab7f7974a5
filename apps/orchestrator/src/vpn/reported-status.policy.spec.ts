import { describe, expect, it } from 'vitest';
import type { NetworkOwner } from '../runtime/engine-runtime.js';
import { reportedStatus } from './reported-status.policy.js';

const owner = (changes: Partial<NetworkOwner>): NetworkOwner => ({
  id: '7d0d',
  name: 'gluetun',
  running: true,
  state: 'running',
  health: 'healthy',
  host: '172.18.0.3',
  startedAt: 0,
  ...changes,
});

describe('the reported status of a VPN container', () => {
  it.each([
    ['it does not exist', null, null, 'missing'],
    ['it does not run', owner({ running: false, state: 'exited' }), null, 'stopped'],
    ['it is healthy', owner({}), 'running', 'good'],
    ['it is healthy and its control server does not answer', owner({}), null, 'good'],
    ['it is still healthy, and its VPN was just stopped', owner({}), 'stopped', 'bad'],
    ['it is unhealthy, whatever its control server reports', owner({ health: 'unhealthy' }), 'running', 'bad'],
    ['its health is still unknown', owner({ health: 'starting' }), 'running', 'starting'],
    ['it has no health check, and its VPN runs', owner({ health: 'none' }), 'running', 'good'],
    ['it has no health check, and its VPN crashed', owner({ health: 'none' }), 'crashed', 'bad'],
    ['it has no health check and reports nothing', owner({ health: 'none' }), null, 'unknown'],
    ['there are no containers, and its VPN runs', undefined, 'running', 'good'],
    ['its control server reports an unknown word', undefined, 'constructor', 'unknown'],
    ['nothing is reported', undefined, null, 'unknown'],
  ])('if %s', (_, container, reported, status) => {
    expect(reportedStatus(container, reported)).toBe(status);
  });
});
