import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  UNREACHABLE_MS,
  type EngineBehindVpn,
  FAILED_VPN_MS,
  planRollout,
  type RolloutView,
  type TunnelForRollout,
} from './vpn-rollout.plan.js';

const engine = (id: string, changes: Partial<EngineBehindVpn> = {}): EngineBehindVpn => ({
  id,
  lifecycle: 'ready',
  claims: 0,
  tunnel: 0,
  network: 'present',
  cutOff: false,
  unreachableMs: null,
  firstSeen: 1000,
  p2pPort: 36_000,
  givenPort: null,
  ...changes,
});
const tunnel = (index = 0, changes: Partial<TunnelForRollout> = {}): TunnelForRollout => ({
  index,
  connected: true,
  lostMs: 0,
  forwardedPorts: [],
  replaceBefore: 0,
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
const drained = (pending: RolloutView): string[] => planRollout(pending).drain.map(({ id }) => id);

describe('the engines behind a VPN', () => {
  it('are not touched while everything works', () => {
    expect(planRollout(view([engine('a'), engine('b', { claims: 1 })]))).toEqual({ rejoin: [], drain: [], replaced: null });
  });

  it('rejoin the network of a restarted container as soon as the tunnel is up, engines with streams first', () => {
    const engines = [engine('a'), engine('b', { claims: 1 })].map((each) => ({
      ...each,
      network: 'earlier-generation' as const,
      cutOff: true,
    }));
    expect(planRollout(view(engines, { tunnels: [tunnel(0, { connected: false, lostMs: 5000 })] })).rejoin).toEqual([]);
    expect(planRollout(view(engines)).rejoin).toEqual(['b', 'a']);
  });

  it('are drained at once when their container is gone, because they can never run again', () => {
    const plan = planRollout(view([engine('a', { network: 'other-container', claims: 1 }), engine('b')]));
    expect(plan.drain).toEqual([{ id: 'a', reason: 'its VPN container is gone', graceMs: 0 }]);
  });

  it('are kept during an outage of any length if there is no other VPN', () => {
    expect(drained(view([engine('a', { cutOff: true })], { tunnels: [tunnel(0, { connected: false, lostMs: 3_600_000 })] }))).toEqual([]);
  });

  it('are replaced one at a time after an outage, idle ones first', () => {
    const tunnels = [tunnel(0, { replaceBefore: 5000 })];
    const engines = [engine('a', { claims: 1 }), engine('b'), engine('c', { firstSeen: 6000 })];
    expect(planRollout(view(engines, { tunnels }))).toMatchObject({ drain: [{ id: 'b' }], replaced: 'b' });
    expect(drained(view([...engines, engine('d', { lifecycle: 'starting' })], { tunnels }))).toEqual([]);
  });

  it('are not replaced while the engine for the last replacement is missing, for up to 20 s', () => {
    const tunnels = [tunnel(0, { replaceBefore: 5000 })];
    const after = (agoMs: number): string[] => drained(view([engine('a')], { tunnels, last: { agoMs, usableBefore: 2 } }));
    expect([after(500), after(19_999), after(20_000)]).toEqual([[], [], ['a']]);
  });

  it('with streams are replaced only if there is another engine, or room for one', () => {
    const tunnels = [tunnel(0, { replaceBefore: 5000 })];
    const playing = engine('a', { claims: 1 });
    expect(drained(view([playing], { tunnels, total: 1, limit: 1 }))).toEqual([]);
    expect(drained(view([playing], { tunnels, total: 1, limit: 2 }))).toEqual(['a']);
    expect(drained(view([playing, engine('b', { firstSeen: 6000 })], { tunnels, total: 2, limit: 2 }))).toEqual(['a']);
  });

  it('started without the VPN are replaced as soon as it is up', () => {
    expect(drained(view([engine('a', { tunnel: null })]))).toEqual(['a']);
    expect(drained(view([engine('a', { tunnel: null })], { tunnels: [tunnel(0, { connected: false })] }))).toEqual([]);
  });

  it('are replaced when a single one has no network for a minute', () => {
    expect(drained(view([engine('a', { cutOff: true, unreachableMs: UNREACHABLE_MS - 1 }), engine('b')]))).toEqual([]);
    expect(drained(view([engine('a', { cutOff: true, unreachableMs: UNREACHABLE_MS }), engine('b')]))).toEqual(['a']);
  });
});

describe('the forwarded port', () => {
  const tunnels = [tunnel(0, { forwardedPorts: [51_413] })];

  it('that no engine uses leads to the replacement of an idle engine, never of one with streams', () => {
    expect(drained(view([engine('a', { claims: 1 }), engine('b')], { tunnels }))).toEqual(['b']);
    expect(drained(view([engine('a', { claims: 1 })], { tunnels }))).toEqual([]);
    expect(drained(view([engine('a'), engine('b', { p2pPort: 51_413, givenPort: 51_413 })], { tunnels }))).toEqual([]);
  });

  it('that has changed leads to the replacement of its engine, at once if it is idle', () => {
    expect(drained(view([engine('a'), engine('b', { p2pPort: 40_404, givenPort: 40_404 })], { tunnels }))).toEqual(['b']);
  });

  it('that has changed first gets a new engine if the old one has streams, then the viewers are moved', () => {
    const old = engine('old', { p2pPort: 40_404, givenPort: 40_404, claims: 1 });
    expect(drained(view([old, engine('a')], { tunnels }))).toEqual(['a']);
    const fresh = engine('new', { p2pPort: 51_413, givenPort: 51_413 });
    expect(drained(view([old, fresh], { tunnels }))).toEqual(['old']);
  });

  it('of several is used by one engine each: idle engines are replaced until every port has an engine', () => {
    const both = [tunnel(0, { forwardedPorts: [51_413, 40_404] })];
    const [first, second] = [51_413, 40_404].map((port) => engine(`p${port}`, { p2pPort: port, givenPort: port }));
    expect(drained(view([first, engine('a')], { tunnels: both }))).toEqual(['a']);
    expect(drained(view([first], { tunnels: both }))).toEqual([]);
    expect(drained(view([first, second, engine('a')], { tunnels: both }))).toEqual([]);
  });

  it('that is unknown at the moment changes nothing', () => {
    expect(drained(view([engine('a', { p2pPort: 40_404, givenPort: 40_404 })]))).toEqual([]);
  });
});

describe('with two VPNs', () => {
  const down = tunnel(1, { connected: false, lostMs: FAILED_VPN_MS });

  it('the engines of the failed one are drained after a long outage', () => {
    const engines = [engine('a'), engine('b', { tunnel: 1, claims: 1, cutOff: true }), engine('c', { tunnel: 1, cutOff: true })];
    expect(drained(view(engines, { tunnels: [tunnel(), { ...down, lostMs: FAILED_VPN_MS - 1 }] }))).toEqual([]);
    expect(drained(view(engines, { tunnels: [tunnel(), down] }))).toEqual(['b', 'c']);
    expect(drained(view(engines, { tunnels: [tunnel(0, { connected: false, lostMs: FAILED_VPN_MS }), down] }))).toEqual([]);
  });

  it('idle engines are moved from the fuller one, one at a time, never engines with streams', () => {
    const tunnels = [tunnel(), tunnel(1)];
    expect(drained(view([engine('a'), engine('b'), engine('c', { claims: 1 })], { tunnels }))).toEqual(['a']);
    expect(drained(view([engine('a', { claims: 1 }), engine('b', { claims: 1 })], { tunnels }))).toEqual([]);
    expect(drained(view([engine('a'), engine('b', { tunnel: 1 })], { tunnels }))).toEqual([]);
    expect(drained(view([engine('a'), engine('b'), engine('c', { tunnel: 1 })], { tunnels }))).toEqual([]);
  });
});

describe('rollout plans for 5000 random pools', () => {
  const arbitraryEngine = fc.record({
    lifecycle: fc.constantFrom('starting' as const, 'ready' as const, 'ready' as const, 'draining' as const),
    claims: fc.constantFrom(0, 0, 1, 2),
    tunnel: fc.constantFrom(0, 0, 1, null),
    network: fc.constantFrom(
      'present' as const,
      'present' as const,
      'earlier-generation' as const,
      'other-container' as const,
      'unknown' as const,
    ),
    cutOff: fc.boolean(),
    unreachableMs: fc.constantFrom(null, null, 1000, UNREACHABLE_MS),
    firstSeen: fc.integer({ min: 0, max: 10 }),
    p2pPort: fc.constantFrom(36_000, 40_404, 51_413),
    givenPort: fc.constantFrom(null, 40_404, 51_413),
  });
  const arbitraryTunnel = fc.record({
    connected: fc.boolean(),
    lostMs: fc.constantFrom(0, 1000, FAILED_VPN_MS),
    forwardedPorts: fc.uniqueArray(fc.constantFrom(40_404, 51_413), { maxLength: 2 }),
    replaceBefore: fc.integer({ min: 0, max: 10 }),
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
  const always = (check: (pending: RolloutView, plan: ReturnType<typeof planRollout>) => void): void => {
    fc.assert(
      fc.property(arbitraryView, (pending) => check(pending, planRollout(pending))),
      { numRuns: 5000, seed: 7 },
    );
  };
  const of = ({ engines }: RolloutView, id: string | null): EngineBehindVpn => engines.find((each) => each.id === id) as EngineBehindVpn;

  it('move a healthy engine with streams only one at a time, and only if there is a place for them', () => {
    always((pending, { drain }) => {
      const moved = drain
        .map(({ id }) => of(pending, id))
        .filter(({ claims, cutOff, network }) => claims > 0 && !cutOff && network === 'present');
      const ofLiving = moved.filter(({ tunnel: index }) => index === null || pending.tunnels[index]?.connected);
      expect(ofLiving.length).toBeLessThanOrEqual(1);
      if (ofLiving.length === 0) return;
      const free = pending.engines.some(
        ({ id, lifecycle, claims, cutOff }) => id !== ofLiving[0].id && lifecycle === 'ready' && claims === 0 && !cutOff,
      );
      expect(free || pending.total < pending.limit).toBe(true);
    });
  });

  it('drain nothing twice, never drain and restart the same engine, and leave draining engines alone', () => {
    always((pending, { drain, rejoin }) => {
      const touched = [...drain.map(({ id }) => id), ...rejoin];
      expect(new Set(touched).size).toBe(touched.length);
      expect(touched.every((id) => of(pending, id).lifecycle !== 'draining')).toBe(true);
    });
  });

  it('never replace an engine while another one starts or drains', () => {
    always((pending, { replaced, rejoin, drain }) => {
      if (replaced === null) return;
      expect(pending.engines.some(({ lifecycle }) => lifecycle !== 'ready')).toBe(false);
      expect([rejoin.length, drain.length]).toEqual([0, 1]);
    });
  });

  it('replace nothing while no VPN is up, and drain only engines that can never run again', () => {
    always((pending, { replaced, rejoin, drain }) => {
      if (pending.tunnels.some(({ connected }) => connected)) return;
      expect([replaced, rejoin]).toEqual([null, []]);
      expect(drain.every(({ id }) => of(pending, id).network === 'other-container')).toBe(true);
    });
  });
});
