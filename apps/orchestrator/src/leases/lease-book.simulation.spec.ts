import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { ContentKeys } from './content-keys.js';
import { EngineClaimBook } from './engine-claims.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { anInstance } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { KEEP_PLACE_MS, LEASE_MS, type Lease, LeaseBook } from './lease-book.js';

/** One event; numbers choose engines, requests and proxies. */
type Step =
  | { do: 'ask'; request: number; content: number; byInfohash: boolean; exclude: number | null; purpose: 'start' | 'failover' | 'reserve' }
  | { do: 'report'; request: number }
  | { do: 'silence'; proxy: number }
  | { do: 'release'; request: number }
  | { do: 'pass'; ms: number }
  | { do: 'engine up' | 'engine down' | 'engine ill' | 'engine well' | 'engine drains'; engine: number };

const REQUESTS = 12;
const CONTENTS = 5;
const ENGINES = 5;
const PROXIES = 3;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      request: fc.nat(REQUESTS - 1),
      content: fc.nat(CONTENTS - 1),
      byInfohash: fc.boolean(),
      exclude: fc.option(fc.nat(ENGINES - 1)),
      purpose: fc.constantFrom('start' as const, 'failover' as const, 'reserve' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('report' as const), request: fc.nat(REQUESTS - 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('silence' as const), proxy: fc.nat(PROXIES - 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), request: fc.nat(REQUESTS - 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: LEASE_MS }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'engine up' as const,
        'engine up' as const,
        'engine down' as const,
        'engine ill' as const,
        'engine well' as const,
        'engine drains' as const,
      ),
      engine: fc.nat(ENGINES - 1),
    }),
  },
);

/** The surroundings of the book: engines that come and go, proxies that report or fall silent. */
class World {
  readonly clock = new FakeClock();
  readonly registry = new EngineRegistry(this.clock);
  readonly contents = new ContentKeys();
  readonly claims = new EngineClaimBook();
  readonly live = new Map<string, Lease>();
  readonly book: LeaseBook;
  private generation = 0;
  private readonly ids = new Map<number, string>();
  private leases = 0;

  constructor(readonly max: number) {
    this.book = new LeaseBook({
      clock: this.clock,
      claims: this.claims,
      engines: () => this.registry.all(),
      maxStreamsPerEngine: max,
      newId: () => `lease-${++this.leases}`,
      onGrant: (lease) => this.checkGrant(lease),
      onRevoke: (lease) => {
        expect(lease).toMatchObject({ purpose: 'reserve', reported: false });
        this.ended([lease]);
      },
    });
    this.registry.onChange(({ type, engine }) => {
      if (type === 'gone') this.ended(this.book.engineGone(engine.id));
      this.book.settle();
    });
  }

  apply(step: Step): void {
    switch (step.do) {
      case 'ask':
        return this.ask(step);
      case 'report': {
        const lease = this.book.leaseOfRequest(`r${step.request}`);
        if (!lease) return;
        const proxyId = proxyOf(step.request);
        const named = [...this.live.values()].filter((each) => each.proxyId === proxyId).map((each) => each.id);
        this.ended(this.book.renew(proxyId, new Set(named)));
        this.claims.assign({ streamId: `s-${lease.id}`, engineId: lease.engineId, keys: lease.keys, leaseId: lease.id });
        break;
      }
      case 'silence':
        this.ended(this.book.releaseOf(`p${step.proxy}`));
        break;
      case 'release': {
        const lease = this.book.leaseOfRequest(`r${step.request}`);
        if (lease) this.ended([this.book.release(lease.id) as Lease]);
        break;
      }
      case 'pass':
        this.clock.advance(step.ms);
        this.ended(this.book.expire().expired);
        break;
      default:
        this.changeEngine(step.do, step.engine);
    }
    this.book.settle();
  }

  check(): void {
    for (const engine of this.registry.all()) {
      const here = [...this.live.values()].filter((lease) => lease.engineId === engine.id);
      expect(this.claims.on(engine.id).count).toBe(here.length);
      expect(here.length).toBeLessThanOrEqual(this.max);
      const keys = here.flatMap((lease) => lease.keys);
      expect(new Set(keys).size).toBe(keys.length);
    }
  }

  private ask({ request, content, byInfohash, exclude, purpose }: Extract<Step, { do: 'ask' }>): void {
    const requestId = `r${request}`;
    const before = this.book.leaseOfRequest(requestId);
    const position = this.book.position(requestId);
    const infohash = `h${content}`;
    const keys = this.contents.of(
      byInfohash ? { keyType: 'infohash', key: infohash } : { keyType: 'content_id', key: `c${content}`, infohash },
    );
    const excluded = exclude === null ? undefined : this.ids.get(exclude);
    const asked = this.book.ask({ requestId, proxyId: proxyOf(request), keys, exclude: new Set(excluded ? [excluded] : []), purpose });
    if (before) expect(asked).toMatchObject({ kind: 'granted', lease: { id: before.id, engineId: before.engineId } });
    // A repeated request may change its rank, but keeps its place within a rank.
    if (position > 0 && asked.kind === 'waiting' && purpose === 'failover') expect(asked.position).toBeLessThanOrEqual(position);
  }

  private changeEngine(what: Exclude<Step['do'], 'ask' | 'report' | 'silence' | 'release' | 'pass'>, number: number): void {
    const id = this.ids.get(number);
    switch (what) {
      case 'engine up':
        if (id !== undefined && this.registry.get(id)) return this.registry.ready(id);
        this.ids.set(number, `e${number}-${++this.generation}`);
        this.registry.add(anInstance(this.ids.get(number) as string));
        return;
      case 'engine down':
        return id === undefined ? undefined : this.registry.gone(id, 'died');
      case 'engine ill':
        return id === undefined ? undefined : this.registry.probed(id, 'unhealthy');
      case 'engine well':
        return id === undefined ? undefined : this.registry.probed(id, 'healthy');
      case 'engine drains':
        if (id !== undefined) this.registry.startDraining(id, { reason: 'test', deadline: 0 });
        return;
      default:
        throw new TypeError(String(what satisfies never));
    }
  }

  private checkGrant(lease: Lease): void {
    expect(this.registry.get(lease.engineId)).toMatchObject({ lifecycle: 'ready' });
    expect(this.registry.get(lease.engineId)?.health).not.toBe('unhealthy');
    this.live.set(lease.id, lease);
  }

  private ended(leases: readonly Lease[]): void {
    for (const lease of leases) {
      this.live.delete(lease.id);
      this.claims.unassign(`s-${lease.id}`);
    }
  }
}

function proxyOf(request: number): string {
  return `p${request % PROXIES}`;
}

describe('the lease book in thousands of random histories', () => {
  it('never leases an engine twice for one content or above the maximum, and gives the same request the same lease', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 150, size: 'max' }), (max, steps) => {
        const world = new World(max);
        for (const each of steps) {
          world.apply(each);
          world.check();
        }
      }),
      { numRuns: 250 },
    );
  });

  it('callers that keep asking do not starve: with as many engines as callers, all are served', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 100, size: 'max' }),
        fc.shuffledSubarray([...Array(REQUESTS).keys()], { minLength: 1 }),
        (steps, callers) => {
          const world = new World(1);
          for (const each of steps) world.apply(each);
          // Now the events end: the callers ask every second, and engines are added one by one.
          world.clock.advance(KEEP_PLACE_MS + LEASE_MS);
          world.apply({ do: 'pass', ms: 1 });
          for (let proxy = 0; proxy < PROXIES; proxy++) world.apply({ do: 'silence', proxy });
          const served = new Set<number>();
          for (let round = 0; served.size < callers.length && round <= callers.length; round++) {
            for (const request of callers) {
              const asked = world.book.ask({
                requestId: `late-${request}`,
                proxyId: proxyOf(request),
                keys: [`content_id:late-${request}`],
                exclude: new Set(),
                purpose: 'start',
              });
              if (asked.kind === 'granted') served.add(request);
            }
            const id = `late-engine-${round}`;
            world.registry.add(anInstance(id));
            world.registry.ready(id);
            world.clock.advance(1000);
          }
          expect(served.size).toBe(callers.length);
        },
      ),
      { numRuns: 300 },
    );
  });
});
