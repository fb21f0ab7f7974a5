import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { anInstance, aRegistry } from '../../../../test/doubles/orchestrator/engines.fixture.js';
import { EngineClaimBook } from './engine-claims.js';
import { type AllocationRequest, KEEP_PLACE_MS, type Lease, LEASE_MS, LeaseBook, MAX_WAITING } from './lease-book.js';

function setUp({ engines = ['e1'], max = 1 } = {}) {
  const clock = new FakeClock();
  const registry = aRegistry(clock, ...engines);
  const claims = new EngineClaimBook();
  const grants: Lease[] = [];
  const revoked: string[] = [];
  let ids = 0;
  const book = new LeaseBook({
    clock,
    claims,
    engines: () => registry.all(),
    maxStreamsPerEngine: max,
    newId: () => `lease-${++ids}`,
    onGrant: (lease) => grants.push(lease),
    onRevoke: (lease) => revoked.push(lease.requestId),
  });
  return { clock, registry, claims, book, grants, revoked };
}

function demand(requestId: string, overrides: Partial<AllocationRequest> = {}): AllocationRequest {
  return { requestId, proxyId: 'p1', keys: [`content_id:${requestId}`], exclude: new Set(), purpose: 'start', ...overrides };
}

function granted(book: LeaseBook, requestId: string): string | undefined {
  return book.leaseOfRequest(requestId)?.engineId;
}

describe('the lease book', () => {
  it('leases a free engine at once, and never the same place twice', () => {
    const { book } = setUp({ engines: ['e1', 'e2'] });
    expect(['a', 'b', 'c'].map((id) => book.ask(demand(id)).kind)).toEqual(['granted', 'granted', 'waiting']);
    expect(new Set([granted(book, 'a'), granted(book, 'b')]).size).toBe(2);
  });

  it('a repeated request gets the same lease', () => {
    const { book, clock } = setUp();
    const first = book.ask(demand('a'));
    clock.advance(1000);
    expect(book.ask(demand('a'))).toEqual(first);
    expect(book.leaseCount).toBe(1);
  });

  it('a lease that no report names expires after 20 s, and the next request in the queue gets the engine', () => {
    const { book, clock } = setUp();
    book.ask(demand('a'));
    clock.advance(LEASE_MS - 1000);
    book.ask(demand('b'));
    expect(book.expire().expired).toEqual([]);
    clock.advance(1000);
    expect(book.expire().expired.map((lease) => lease.requestId)).toEqual(['a']);
    book.settle();
    expect(granted(book, 'b')).toBe('e1');
  });

  it('a lease stays while reports name it', () => {
    const { book, clock, claims } = setUp();
    book.ask(demand('a'));
    book.renew('p1', new Set(['lease-1']));
    clock.advance(10 * LEASE_MS);
    expect(book.expire().expired).toEqual([]);
    expect(book.renew('p1', new Set()).map((lease) => lease.id)).toEqual(['lease-1']);
    expect(claims.on('e1').count).toBe(0);
  });

  it('a report sent before the lease arrived does not end it', () => {
    const { book } = setUp();
    book.ask(demand('a'));
    expect(book.renew('p1', new Set())).toEqual([]);
    expect(granted(book, 'a')).toBe('e1');
  });

  it('a lease and its stream count once', () => {
    const { book, claims } = setUp({ max: 2 });
    book.ask(demand('a'));
    claims.assign({ streamId: 's', engineId: 'e1', keys: ['content_id:a'], leaseId: 'lease-1' });
    expect(claims.on('e1').count).toBe(1);
    claims.assign({ streamId: 'foreign', engineId: 'e1', keys: ['content_id:f'], leaseId: null });
    expect(claims.on('e1').count).toBe(2);
  });

  it('a stream that moves to another engine frees the first', () => {
    const { claims } = setUp({ engines: ['e1', 'e2'] });
    claims.assign({ streamId: 's', engineId: 'e1', keys: ['k'], leaseId: null });
    claims.assign({ streamId: 's', engineId: 'e2', keys: ['k'], leaseId: null });
    expect([claims.on('e1').count, claims.on('e2').count, claims.streamsOn('e2')]).toEqual([0, 1, ['s']]);
  });

  it('one content never gets two places on an engine, whether named by id or infohash', () => {
    const { book } = setUp({ max: 5 });
    book.ask(demand('a', { keys: ['content_id:x', 'infohash:h'] }));
    expect(book.ask(demand('b', { keys: ['infohash:h'] })).kind).toBe('waiting');
    expect(book.ask(demand('c', { keys: ['content_id:y'] })).kind).toBe('granted');
  });

  it('the queue is served in order of arrival, and a repeated request keeps its place', () => {
    const { book, clock } = setUp({ engines: [] });
    ['a', 'b', 'c'].forEach((id) => book.ask(demand(id)));
    clock.advance(1000);
    expect(book.ask(demand('a'))).toEqual({ kind: 'waiting', position: 1 });
    expect(book.ask(demand('c'))).toEqual({ kind: 'waiting', position: 3 });
  });

  it('a failover comes before a start, and a standby engine last', () => {
    const { book } = setUp({ engines: [] });
    book.ask(demand('reserve', { purpose: 'reserve' }));
    book.ask(demand('start'));
    book.ask(demand('failover', { purpose: 'failover' }));
    expect(['failover', 'start', 'reserve'].map((id) => book.position(id))).toEqual([1, 2, 3]);
  });

  it('a first try waits for an engine in use for a bounded time; a second try and a standby engine do not', () => {
    const { book, clock } = setUp();
    book.ask(demand('playing'));
    book.ask(demand('zapping'));
    book.ask(demand('second-try', { exclude: new Set(['e2']) }));
    book.ask(demand('standby', { purpose: 'reserve' }));
    const waits = (id: string): boolean => book.mayWaitForRelease(id, 15_000);
    expect([waits('zapping'), waits('second-try'), waits('standby'), waits('unknown')]).toEqual([true, false, false, false]);
    expect(book.viewersWaiting).toBe(2);
    clock.advance(15_000);
    expect(waits('zapping')).toBe(false);
  });

  it('nobody waits for an engine that will not become free', () => {
    const { book, registry } = setUp();
    book.ask(demand('playing'));
    book.ask(demand('zapping'));
    registry.probed('e1', 'unhealthy');
    expect(book.mayWaitForRelease('zapping', 15_000)).toBe(false);
    registry.probed('e1', 'healthy');
    expect(book.mayWaitForRelease('zapping', 15_000)).toBe(true);
    registry.networkSeen('e1', { cutOff: 'its VPN is down', forwarded: false });
    expect(book.mayWaitForRelease('zapping', 15_000)).toBe(false);
  });

  it('a request that cannot use the free engine does not block the next one', () => {
    const { book, registry } = setUp({ engines: [] });
    book.ask(demand('picky', { exclude: new Set(['e9']) }));
    book.ask(demand('next'));
    registry.add(anInstance('e9'));
    registry.ready('e9');
    book.settle();
    expect([granted(book, 'picky'), granted(book, 'next')]).toEqual([undefined, 'e9']);
  });

  it('a caller that disconnected keeps its place for 5 s, one with an open call while it waits', () => {
    const { book, clock } = setUp({ engines: [] });
    book.ask(demand('gone'));
    book.ask(demand('open'));
    book.callOpened('open');
    clock.advance(KEEP_PLACE_MS);
    expect(book.expire().abandoned).toEqual(['gone']);
    book.callClosed('open');
    clock.advance(KEEP_PLACE_MS);
    expect(book.expire().abandoned).toEqual(['open']);
    expect(book.waitingCount).toBe(0);
  });

  it('a lease granted to a caller that does not ask again expires after 5 s, not 20', () => {
    const { book, clock, registry } = setUp({ engines: [] });
    book.ask(demand('a'));
    registry.add(anInstance('e1'));
    registry.ready('e1');
    book.settle();
    clock.advance(KEEP_PLACE_MS);
    expect(book.expire().expired).toHaveLength(1);
  });

  it('a lease granted to a caller that asks again in time runs its full time from then', () => {
    const { book, clock, registry } = setUp({ engines: [] });
    book.ask(demand('a'));
    registry.add(anInstance('e1'));
    registry.ready('e1');
    book.settle();
    clock.advance(KEEP_PLACE_MS - 1);
    expect(book.ask(demand('a')).kind).toBe('granted');
    clock.advance(LEASE_MS - 1);
    expect(book.expire().expired).toEqual([]);
  });

  it('a cordoned engine is not leased until it is uncordoned', () => {
    const { book, claims } = setUp();
    claims.cordon('e1', 'me', { kind: 'open', reason: 'in quarantine' });
    expect(book.ask(demand('a')).kind).toBe('waiting');
    claims.uncordon('e1', 'other');
    book.settle();
    expect(granted(book, 'a')).toBeUndefined();
    claims.uncordon('e1', 'me');
    book.settle();
    expect(granted(book, 'a')).toBe('e1');
  });

  it('the leases of a gone engine end, and their requests may get another engine', () => {
    const { book, registry } = setUp({ engines: ['e1', 'e2'] });
    book.ask(demand('a'));
    const first = granted(book, 'a') as string;
    registry.gone(first, 'died');
    expect(book.engineGone(first)).toHaveLength(1);
    expect(book.ask(demand('a')).kind).toBe('granted');
    expect(granted(book, 'a')).not.toBe(first);
  });

  it('the queue has a limit, and waiting requests keep their places', () => {
    const { book } = setUp({ engines: [] });
    for (let i = 0; i < MAX_WAITING; i++) book.ask(demand(`r${i}`));
    expect(book.ask(demand('late'))).toEqual({ kind: 'full' });
    expect(book.ask(demand('r7'))).toEqual({ kind: 'waiting', position: 8 });
  });

  it('a preview reserves nothing', () => {
    const { book, claims } = setUp();
    expect(book.preview({ keys: ['k'], exclude: new Set() }).chosen?.id).toBe('e1');
    expect([book.leaseCount, claims.on('e1').count, book.waitingCount]).toEqual([0, 0, 0]);
  });
});

describe('a standby engine', () => {
  it.each(['start', 'failover'] as const)('is revoked when no other engine is free for a %s', (purpose) => {
    const { book, revoked, claims } = setUp({ engines: ['e1', 'e2'] });
    book.ask(demand('a'));
    book.ask(demand('r', { purpose: 'reserve' }));
    expect(book.ask(demand('b', { purpose })).kind).toBe('granted');
    expect([granted(book, 'b'), granted(book, 'r'), revoked]).toEqual(['e2', undefined, ['r']]);
    expect(claims.on('e2').count).toBe(1);
  });

  it('is not revoked for another standby request, when it does not suit, or while another engine is free', () => {
    const { book, revoked } = setUp({ engines: ['e1', 'e2'] });
    book.ask(demand('r', { purpose: 'reserve' }));
    const [held, free] = granted(book, 'r') === 'e1' ? ['e1', 'e2'] : ['e2', 'e1'];
    book.ask(demand('a'));
    expect(granted(book, 'a')).toBe(free);
    expect(book.ask(demand('s', { purpose: 'reserve' })).kind).toBe('waiting');
    expect(book.ask(demand('b', { exclude: new Set([held]) })).kind).toBe('waiting');
    expect([revoked, granted(book, 'r')]).toEqual([[], held]);
  });

  it('is not revoked once its request needs it: the request keeps its lease', () => {
    const { book, revoked } = setUp();
    const reserve = book.ask(demand('r', { purpose: 'reserve' }));
    const used = book.ask(demand('r', { purpose: 'failover' }));
    expect(used).toMatchObject({ kind: 'granted', lease: { id: reserve.kind === 'granted' && reserve.lease.id, purpose: 'failover' } });
    expect(book.ask(demand('b')).kind).toBe('waiting');
    expect(revoked).toEqual([]);
  });

  it('that was revoked can be requested again with the same request id', () => {
    const { book, registry } = setUp();
    book.ask(demand('r', { purpose: 'reserve' }));
    book.ask(demand('b', { purpose: 'failover' }));
    expect(book.ask(demand('r', { purpose: 'failover' })).kind).toBe('waiting');
    expect(registry.all()).toHaveLength(1);
    book.release('b');
    book.settle();
    expect(granted(book, 'r')).toBe('e1');
  });
});
