import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EnginePorts } from '../runtime/engine-runtime.js';
import { firstOffset, NoPortsLeftError, PortAllocator, PortOwnedError } from './port-allocator.js';

const RANGES = {
  http: { first: 100, last: 104 },
  https: { first: 200, last: 204 },
  api: { first: 300, last: 304 },
  p2p: { first: 400, last: 404 },
};

/** Number of ports up to 500 that have an owner. */
function ownedPorts(ports: PortAllocator): number {
  return Array.from({ length: 500 }, (_, port) => port).filter((port) => ports.ownerOf(port) !== undefined).length;
}

describe('the port allocator', () => {
  it('allocates one port of each range', () => {
    expect(new PortAllocator(RANGES).allocate('a', 0)).toEqual({ http: 100, https: 200, api: 300, p2p: 400 });
  });

  it('reuses a released port last', () => {
    const ports = new PortAllocator(RANGES);
    ports.allocate('a', 0);
    ports.release('a');
    const next = ['b', 'c', 'd', 'e', 'f'].map((owner) => ports.allocate(owner, 0).http);
    expect(next).toEqual([101, 102, 103, 104, 100]);
  });

  it('starts at a different position for each installation, so that two on one host choose different ports', () => {
    const wide = { http: { first: 19_000, last: 19_999 }, https: RANGES.https, api: RANGES.api, p2p: RANGES.p2p };
    const choices = ['b1b2', 'c3d4', 'e5f6'].map((id) => new PortAllocator(wide, firstOffset(id)).allocate('a', 0).http);
    expect(new Set(choices).size).toBe(3);
    expect(new PortAllocator(wide, firstOffset('b1b2')).allocate('a', 0).http).toBe(choices[0]);
    const ports = new PortAllocator(RANGES, 13);
    expect(['a', 'b', 'c', 'd', 'e'].map((owner) => ports.allocate(owner, 0).http)).toEqual([103, 104, 100, 101, 102]);
  });

  it('allocates nothing when one of the ranges is exhausted', () => {
    const ports = new PortAllocator({ ...RANGES, api: { first: 300, last: 300 } });
    ports.allocate('a', 0);
    expect(() => ports.allocate('b', 0)).toThrow(NoPortsLeftError);
    expect(ownedPorts(ports)).toBe(4);
    expect(ports.has('b')).toBe(false);
  });

  it('does not allocate reserved ports until they are released, and does not count their owner as an engine', () => {
    const ports = new PortAllocator(RANGES);
    ports.reserve('web', [100, 101, 101]);
    expect(ports.allocate('a', 0).http).toBe(102);
    expect(ports.engineCount).toBe(1);
    expect(() => ports.reserve('mail', [200, 25, 400])).toThrow(PortOwnedError);
    expect([ports.ownerOf(25), ports.has('mail')]).toEqual([undefined, false]);
    ports.release('web');
    expect([ports.ownerOf(100), ports.engineCount]).toEqual([undefined, 1]);
  });

  it('allocates a requested port, also outside of the ranges', () => {
    expect(new PortAllocator(RANGES).allocate('a', 0, { http: 6878, https: 202 })).toEqual({ http: 6878, https: 202, api: 300, p2p: 400 });
  });

  it('names the owner of a requested port', () => {
    const ports = new PortAllocator(RANGES);
    ports.allocate('a', 0);
    expect(() => ports.allocate('b', 0, { http: 100 })).toThrow(new PortOwnedError(100, 'a'));
    expect(ownedPorts(ports)).toBe(4);
  });

  it('sets a port aside for a minute when another program uses it', () => {
    const ports = new PortAllocator({ ...RANGES, http: { first: 100, last: 101 } });
    ports.setAside(100, 1000);
    expect(ports.allocate('a', 2000).http).toBe(101);
    expect(() => ports.allocate('b', 60_999)).toThrow(NoPortsLeftError);
    expect(ports.allocate('b', 61_000).http).toBe(100);
  });

  it('the first of two adopted engines keeps their common port, and the conflict names it', () => {
    const ports = new PortAllocator(RANGES);
    ports.adopt('a', { http: 100, https: 200, api: 300, p2p: 400 });
    expect(ports.adopt('b', { http: 101, https: 200, api: 301, p2p: 401 })).toEqual([{ port: 200, owner: 'a' }]);
    ports.release('b');
    expect(() => ports.allocate('c', 0, { https: 200 })).toThrow(PortOwnedError);
  });

  it('accepts an engine that uses one port twice', () => {
    const ports = new PortAllocator(RANGES);
    expect(ports.adopt('a', { http: 100, https: 100, api: 300, p2p: 400 })).toEqual([]);
    ports.release('a');
    expect(ownedPorts(ports)).toBe(0);
  });

  it('never gives a port two owners and loses none, in any order of calls, also with overlapping ranges', () => {
    const overlapping = { ...RANGES, https: { first: 102, last: 108 } };
    const owner = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    const port = fc.integer({ min: 99, max: 406 });
    const step = fc.oneof(
      fc.record({ do: fc.constant('allocate' as const), owner, http: fc.option(port, { nil: undefined }) }),
      fc.record({ do: fc.constant('adopt' as const), owner, ports: fc.record({ http: port, https: port, api: port, p2p: port }) }),
      fc.record({ do: fc.constant('release' as const), owner }),
      fc.record({ do: fc.constant('setAside' as const), port }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 90_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const ports = new PortAllocator(overlapping);
        const model = new Map<string, Set<number>>();
        let now = 0;
        for (const one of steps) {
          const others = (name: string) => [...model].filter(([key]) => key !== name).flatMap(([, held]) => [...held]);
          if (one.do === 'allocate' && !model.has(one.owner)) {
            try {
              const got = Object.values(ports.allocate(one.owner, now, one.http === undefined ? {} : { http: one.http })) as number[];
              expect(new Set(got).size).toBe(4);
              for (const port of got) expect(others(one.owner)).not.toContain(port);
              model.set(one.owner, new Set(got));
            } catch (error) {
              expect(error instanceof NoPortsLeftError || error instanceof PortOwnedError).toBe(true);
            }
          } else if (one.do === 'adopt') {
            model.delete(one.owner);
            const wanted = Object.values(one.ports as EnginePorts as unknown as Record<string, number>);
            const lost = ports.adopt(one.owner, one.ports).map(({ port }) => port);
            for (const port of lost) expect(others(one.owner)).toContain(port);
            model.set(one.owner, new Set(wanted.filter((port) => !lost.includes(port))));
          } else if (one.do === 'release') {
            ports.release(one.owner);
            model.delete(one.owner);
          } else if (one.do === 'setAside') {
            ports.setAside(one.port, now);
          } else if (one.do === 'wait') {
            now += one.ms;
          }
          expect(ports.engineCount).toBe(model.size);
          expect(ownedPorts(ports)).toBe([...model.values()].reduce((sum, held) => sum + held.size, 0));
        }
      }),
      { numRuns: 500 },
    );
  });
});
