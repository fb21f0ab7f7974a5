import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { anInstance } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { type EngineHint, findEngine } from './engine-finder.js';

const registry = new EngineRegistry(new FakeClock());
registry.add(anInstance('a', { host: 'dind', port: 19_000, published: { '40001/tcp': [{ HostIp: '0.0.0.0', HostPort: '19100' }] } }));
registry.add(anInstance('b', { host: 'dind', port: 19_001, published: { '40001/tcp': null } }));
registry.add(anInstance('c', { host: 'gluetun', port: 19_001 }));

describe('the engine that an event means', () => {
  it.each<[string, EngineHint, string | null]>([
    ['is the one whose id it names', { containerId: 'b', host: 'x', port: 1 }, 'b'],
    ["is found by host and port where the id is the caller's own", { containerId: 'acexy', host: 'dind', port: 19_000 }, 'a'],
    ['is found by host and port without an id', { host: 'DIND', port: 19_001 }, 'b'],
    ['is found by a unique port on a loopback name', { host: 'localhost', port: 19_000 }, 'a'],
    ['is found by a unique published port', { host: '127.0.0.1', port: 19_100 }, 'a'],
    ['is found by a unique port on a host we do not know', { host: '10.0.0.9', port: 19_000 }, 'a'],
    ['is unknown where two engines have the port', { host: 'localhost', port: 19_001 }, null],
    ['is unknown where the host is ours and the port is not its', { host: 'gluetun', port: 19_000 }, null],
    ['is unknown when no engine has the port', { host: 'localhost', port: 6878 }, null],
  ])('%s', (_what, hint, id) => {
    expect(findEngine(registry.all(), hint)?.id ?? null).toBe(id);
  });
});
