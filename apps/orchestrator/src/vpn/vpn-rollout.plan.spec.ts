import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALONE_MS, type EngineBehindVpn, GIVE_UP_MS, planRollout, type RolloutView, type TunnelForRollout } from './vpn-rollout.plan.js';

const engine = (id: string, changes: Partial<EngineBehindVpn> = {}): EngineBehindVpn => ({
  id,
  lifecycle: 'ready',
  claims: 0,
  tunnel: 0,
  network: 'present',
  cutOff: false,
  aloneMs: null,
  firstSeen: 1000,
  p2pPort: 36_000,
  givenPort: null,
  ...changes,
});
const tunnel = (index = 0, changes: Partial<TunnelForRollout> = {}): TunnelForRollout => ({
  index,
  connected: true,
  lostMs: 0,
  forwardedPort: null,
  renewBefore: 0,
  ...changes,
});
const view = (engines: EngineBehindVpn[], changes: Partial<RolloutView> = {}): RolloutView => ({
  engines,
  tunnels: [tunnel()],
  total: engines.length,
  limit: 20,
  last: null,
  ...changes,
});
const drained = (given: RolloutView): string[] => planRollout(given).drain.map(({ id }) => id);

describe('the engines behind a VPN', () => {
  it('are left alone while all is well', () => {
    expect(planRollout(view([engine('a'), engine('b', { claims: 1 })]))).toEqual({ rejoin: [], drain: [], replaced: null });
  });

  it('of a restarted container are put back into its network once the tunnel is up, those that play first', () => {
    const engines = [engine('a'), engine('b', { claims: 1 })].map((each) => ({ ...each, network: 'earlier-life' as const, cutOff: true }));
    expect(planRollout(view(engines, { tunnels: [tunnel(0, { connected: false, lostMs: 5000 })] })).rejoin).toEqual([]);
    expect(planRollout(view(engines)).rejoin).toEqual(['b', 'a']);
  });

  it('of a container that is gone are given up at once, since they can never run again', () => {
    const plan = planRollout(view([engine('a', { network: 'other-container', claims: 1 }), engine('b')]));
    expect(plan.drain).toEqual([{ id: 'a', reason: 'its VPN container is gone', graceMs: 0 }]);
  });

  it('stay through an outage, however long, where there is no other VPN', () => {
    expect(drained(view([engine('a', { cutOff: true })], { tunnels: [tunnel(0, { connected: false, lostMs: 3_600_000 })] }))).toEqual([]);
  });

  it('after an outage are replaced one at a time, idle ones first', () => {
    const tunnels = [tunnel(0, { renewBefore: 5000 })];
    const engines = [engine('a', { claims: 1 }), engine('b'), engine('c', { firstSeen: 6000 })];
    expect(planRollout(view(engines, { tunnels }))).toMatchObject({ drain: [{ id: 'b' }], replaced: 'b' });
    expect(drained(view([...engines, engine('d', { lifecycle: 'starting' })], { tunnels }))).toEqual([]);
  });

  it('are not replaced further while the place of the last one is empty, for up to 20 s', () => {
    const tunnels = [tunnel(0, { renewBefore: 5000 })];
    const after = (agoMs: number): string[] => drained(view([engine('a')], { tunnels, last: { agoMs, usableBefore: 2 } }));
    expect([after(500), after(19_999), after(20_000)]).toEqual([[], [], ['a']]);
  });

  it('that play are moved only where there is an engine to move to, or room for one', () => {
    const tunnels = [tunnel(0, { renewBefore: 5000 })];
    const playing = engine('a', { claims: 1 });
    expect(drained(view([playing], { tunnels, total: 1, limit: 1 }))).toEqual([]);
    expect(drained(view([playing], { tunnels, total: 1, limit: 2 }))).toEqual(['a']);
    expect(drained(view([playing, engine('b', { firstSeen: 6000 })], { tunnels, total: 2, limit: 2 }))).toEqual(['a']);
  });

  it('that were started without the VPN are replaced, too, once it is up', () => {
    expect(drained(view([engine('a', { tunnel: null })]))).toEqual(['a']);
    expect(drained(view([engine('a', { tunnel: null })], { tunnels: [tunnel(0, { connected: false })] }))).toEqual([]);
  });

  it('are replaced where one alone has no network for a minute', () => {
    expect(drained(view([engine('a', { cutOff: true, aloneMs: ALONE_MS - 1 }), engine('b')]))).toEqual([]);
    expect(drained(view([engine('a', { cutOff: true, aloneMs: ALONE_MS }), engine('b')]))).toEqual(['a']);
  });
});

describe('the forwarded port', () => {
  const tunnels = [tunnel(0, { forwardedPort: 51_413 })];

  it('that no engine has is given room by an idle one, not by one that plays', () => {
    expect(drained(view([engine('a', { claims: 1 }), engine('b')], { tunnels }))).toEqual(['b']);
    expect(drained(view([engine('a', { claims: 1 })], { tunnels }))).toEqual([]);
    expect(drained(view([engine('a'), engine('b', { p2pPort: 51_413, givenPort: 51_413 })], { tunnels }))).toEqual([]);
  });

  it('that has changed has its engine replaced: at once where it is idle', () => {
    expect(drained(view([engine('a'), engine('b', { p2pPort: 40_404, givenPort: 40_404 })], { tunnels }))).toEqual(['b']);
  });

  it('that has changed gets a new engine first where the old one plays, and then the viewers are moved', () => {
    const old = engine('old', { p2pPort: 40_404, givenPort: 40_404, claims: 1 });
    expect(drained(view([old, engine('a')], { tunnels }))).toEqual(['a']);
    const fresh = engine('new', { p2pPort: 51_413, givenPort: 51_413 });
    expect(drained(view([old, fresh], { tunnels }))).toEqual(['old']);
  });

  it('that is not known just now changes nothing', () => {
    expect(drained(view([engine('a', { p2pPort: 40_404, givenPort: 40_404 })]))).toEqual([]);
  });
});

describe('two VPNs', () => {
  const down = tunnel(1, { connected: false, lostMs: GIVE_UP_MS });

  it('one of which has failed for longer than a moment is left for the other', () => {
    const engines = [engine('a'), engine('b', { tunnel: 1, claims: 1, cutOff: true }), engine('c', { tunnel: 1, cutOff: true })];
    expect(drained(view(engines, { tunnels: [tunnel(), { ...down, lostMs: GIVE_UP_MS - 1 }] }))).toEqual([]);
    expect(drained(view(engines, { tunnels: [tunnel(), down] }))).toEqual(['b', 'c']);
    expect(drained(view(engines, { tunnels: [tunnel(0, { connected: false, lostMs: GIVE_UP_MS }), down] }))).toEqual([]);
  });

  it('are balanced again by idle engines, one at a time, and never by those that play', () => {
    const tunnels = [tunnel(), tunnel(1)];
    expect(drained(view([engine('a'), engine('b'), engine('c', { claims: 1 })], { tunnels }))).toEqual(['a']);
    expect(drained(view([engine('a', { claims: 1 }), engine('b', { claims: 1 })], { tunnels }))).toEqual([]);
    expect(drained(view([engine('a'), engine('b', { tunnel: 1 })], { tunnels }))).toEqual([]);
    expect(drained(view([engine('a'), engine('b'), engine('c', { tunnel: 1 })], { tunnels }))).toEqual([]);
  });
});

describe('thousands of pools behind VPNs', () => {
  const arbitraryEngine = fc.record({
    lifecycle: fc.constantFrom('starting' as const, 'ready' as const, 'ready' as const, 'draining' as const),
    claims: fc.constantFrom(0, 0, 1, 2),
    tunnel: fc.constantFrom(0, 0, 1, null),
    network: fc.constantFrom(
      'present' as const,
      'present' as const,
      'earlier-life' as const,
      'other-container' as const,
      'unknown' as const,
    ),
    cutOff: fc.boolean(),
    aloneMs: fc.constantFrom(null, null, 1000, ALONE_MS),
    firstSeen: fc.integer({ min: 0, max: 10 }),
    p2pPort: fc.constantFrom(36_000, 40_404, 51_413),
    givenPort: fc.constantFrom(null, 40_404, 51_413),
  });
  const arbitraryTunnel = fc.record({
    connected: fc.boolean(),
    lostMs: fc.constantFrom(0, 1000, GIVE_UP_MS),
    forwardedPort: fc.constantFrom(null, 40_404, 51_413),
    renewBefore: fc.integer({ min: 0, max: 10 }),
  });
  const arbitraryView = fc
    .record({
      engines: fc.array(arbitraryEngine, { maxLength: 8 }),
      tunnels: fc.array(arbitraryTunnel, { minLength: 1, maxLength: 2 }),
      room: fc.integer({ min: 0, max: 3 }),
      last: fc.option(fc.record({ agoMs: fc.constantFrom(0, 5000, 60_000), usableBefore: fc.nat(4) })),
    })
    .map(({ engines, tunnels, room, last }): RolloutView => ({
      engines: engines.map((each, index) => ({ id: `e${index}`, ...each })),
      tunnels: tunnels.map((each, index) => ({ index, ...each, lostMs: each.connected ? 0 : each.lostMs })),
      total: engines.length,
      limit: engines.length + room,
      last,
    }));
  const always = (check: (given: RolloutView, plan: ReturnType<typeof planRollout>) => void): void => {
    fc.assert(
      fc.property(arbitraryView, (given) => check(given, planRollout(given))),
      { numRuns: 5000, seed: 7 },
    );
  };
  const of = ({ engines }: RolloutView, id: string | null): EngineBehindVpn => engines.find((each) => each.id === id) as EngineBehindVpn;

  it('an engine that plays and is well is only ever moved one at a time, and to somewhere', () => {
    always((given, { drain }) => {
      const moved = drain
        .map(({ id }) => of(given, id))
        .filter(({ claims, cutOff, network }) => claims > 0 && !cutOff && network === 'present');
      const ofLiving = moved.filter(({ tunnel: index }) => index === null || given.tunnels[index]?.connected);
      expect(ofLiving.length).toBeLessThanOrEqual(1);
      if (ofLiving.length === 0) return;
      const free = given.engines.some(
        ({ id, lifecycle, claims, cutOff }) => id !== ofLiving[0].id && lifecycle === 'ready' && claims === 0 && !cutOff,
      );
      expect(free || given.total < given.limit).toBe(true);
    });
  });

  it('nothing is drained twice, nor drained and restarted, and what drains already is left alone', () => {
    always((given, { drain, rejoin }) => {
      const touched = [...drain.map(({ id }) => id), ...rejoin];
      expect(new Set(touched).size).toBe(touched.length);
      expect(touched.every((id) => of(given, id).lifecycle !== 'draining')).toBe(true);
    });
  });

  it('a replacement one by one never overlaps with another start or removal', () => {
    always((given, { replaced, rejoin, drain }) => {
      if (replaced === null) return;
      expect(given.engines.some(({ lifecycle }) => lifecycle !== 'ready')).toBe(false);
      expect([rejoin.length, drain.length]).toEqual([0, 1]);
    });
  });

  it('without a VPN that is up nothing is replaced, and only what can never run again is given up', () => {
    always((given, { replaced, rejoin, drain }) => {
      if (given.tunnels.some(({ connected }) => connected)) return;
      expect([replaced, rejoin]).toEqual([null, []]);
      expect(drain.every(({ id }) => of(given, id).network === 'other-container')).toBe(true);
    });
  });
});
