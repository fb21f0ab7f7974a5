/**
 * What becomes of the engines behind VPNs: which are put back into their network, which are left for others, and which are replaced one
 * by one. Pure; every look at the VPNs makes a new plan from what is.
 */
import type { NetworkOfEngine } from './reachability-probes.js';

export interface EngineBehindVpn {
  id: string;
  lifecycle: 'starting' | 'ready' | 'draining' | 'gone';
  /** Streams and leases on it. */
  claims: number;
  /** Index of its tunnel; null: it is behind none, or behind one that the settings no longer name. */
  tunnel: number | null;
  network: NetworkOfEngine;
  /** It reaches nobody, by the word of its tunnel or its own. */
  cutOff: boolean;
  /** Milliseconds that it alone has had no network; null where that is not so. */
  aloneMs: number | null;
  /** Milliseconds since the epoch. */
  firstSeen: number;
  p2pPort: number;
  /** The port of the VPN that it was given when it was started; null for none. */
  givenPort: number | null;
}

export interface TunnelForRollout {
  index: number;
  connected: boolean;
  /** How long it has been away; 0 while it is connected. */
  lostMs: number;
  forwardedPort: number | null;
  /** Engines seen earlier (milliseconds since the epoch) are to be replaced. */
  renewBefore: number;
}

export interface RolloutView {
  engines: readonly EngineBehindVpn[];
  tunnels: readonly TunnelForRollout[];
  /** Engines there are and engines ordered, and how many there may be. */
  total: number;
  limit: number;
  /** The last replacement of one by one: how long ago, and how many engines were usable before it. */
  last: { agoMs: number; usableBefore: number } | null;
}

export interface RolloutPlan {
  /** To be restarted into the network that their container has now. */
  rejoin: string[];
  drain: { id: string; reason: string; /** For those who watch to be moved, in milliseconds. */ graceMs: number }[];
  /** Those of `drain` that are replaced one by one. */
  replaced: string | null;
}

/** An outage that is longer is no flap: the engines behind it are left for another VPN. */
export const GIVE_UP_MS = 20_000;
/** An engine that alone has no network for so long is replaced. */
export const ALONE_MS = 60_000;
/** How long viewers have to be moved. */
const MOVE_MS = 60_000;
/** At most so many restart at the same time. */
const REJOIN_AT_ONCE = 5;
/** The pool has so long to order another engine for one that was replaced; it may also want fewer than there were. */
const RECOVERY_MS = 20_000;
const PAUSE_MS = 1_000;

export function planRollout(view: RolloutView): RolloutPlan {
  const lost = lostForGood(view);
  const left = leftForOthers(view);
  const rejoin = toRejoin(view);
  const out = new Set([...lost, ...left].map(({ id }) => id));
  // Whatever is being put right first: replacing beside it would only take more engines away.
  const next = out.size + rejoin.length > 0 || isBusy(view) ? null : nextToReplace(view);
  return { rejoin, drain: [...lost, ...left, ...(next ? [next] : [])], replaced: next?.id ?? null };
}

/** Engines that are well and reach the Internet. */
export function usableOf(engines: readonly EngineBehindVpn[]): EngineBehindVpn[] {
  return engines.filter((engine) => engine.lifecycle === 'ready' && !engine.cutOff);
}

function present(view: RolloutView): EngineBehindVpn[] {
  return view.engines.filter(({ lifecycle }) => lifecycle !== 'draining');
}

/** In the network of a container that is gone: they can never run in it again, and nothing reaches them. */
function lostForGood(view: RolloutView): RolloutPlan['drain'] {
  return present(view)
    .filter(({ network }) => network === 'other-container')
    .map(({ id }) => ({ id, reason: 'its VPN container is gone', graceMs: 0 }));
}

/** A restarted container has a new network, and engines started before it are in none. Those that play come first. */
function toRejoin(view: RolloutView): string[] {
  return present(view)
    .filter(({ network, tunnel }) => network === 'earlier-life' && tunnel !== null && tunnelOf(view, tunnel)?.connected)
    .sort((a, b) => b.claims - a.claims || (a.id < b.id ? -1 : 1))
    .slice(0, REJOIN_AT_ONCE)
    .map(({ id }) => id);
}

/** A VPN that has been away for longer than a moment is left for those that are up. */
function leftForOthers(view: RolloutView): RolloutPlan['drain'] {
  if (!view.tunnels.some(({ connected }) => connected)) return [];
  const failed = new Set(view.tunnels.filter(({ connected, lostMs }) => !connected && lostMs >= GIVE_UP_MS).map(({ index }) => index));
  return present(view)
    .filter(({ tunnel, network }) => tunnel !== null && failed.has(tunnel) && network !== 'other-container')
    .map(({ id }) => ({ id, reason: 'its VPN is down, another is up', graceMs: MOVE_MS }));
}

/** One at a time: the last one's place is filled again, or the pool had long enough to fill it. */
function isBusy({ engines, last }: RolloutView): boolean {
  if (engines.some(({ lifecycle }) => lifecycle === 'starting' || lifecycle === 'draining')) return true;
  if (!last) return false;
  if (last.agoMs < PAUSE_MS) return true;
  return last.agoMs < RECOVERY_MS && usableOf(engines).length < last.usableBefore;
}

interface Candidate {
  engine: EngineBehindVpn;
  reason: string;
}

function nextToReplace(view: RolloutView): RolloutPlan['drain'][number] | null {
  const free = usableOf(view.engines).filter(({ claims }) => claims === 0);
  // An idle engine gives its place to the forwarded port before anybody who watches is moved for it.
  const [wrongIdle, wrongPlaying] = [wrongPort(view).filter(({ engine }) => engine.claims === 0), wrongPort(view)];
  for (const candidates of [outside(view), alone(view), wrongIdle, forPort(view), wrongPlaying, stale(view), unbalanced(view)]) {
    const idleFirst = [...candidates].sort((a, b) => a.engine.claims - b.engine.claims || (a.engine.id < b.engine.id ? -1 : 1));
    for (const { engine, reason } of idleFirst) {
      // What plays is moved only where it can move to: an engine that is free, or room for another.
      const canMove = free.some(({ id }) => id !== engine.id) || view.total < view.limit;
      if (engine.claims === 0 || canMove) return { id: engine.id, reason, graceMs: MOVE_MS };
    }
  }
  return null;
}

/** Started before there was a VPN, or behind one that is no longer meant. */
function outside(view: RolloutView): Candidate[] {
  if (!view.tunnels.some(({ connected }) => connected)) return [];
  return present(view)
    .filter(({ tunnel }) => tunnel === null)
    .map((engine) => ({ engine, reason: 'it is not behind a VPN of the settings' }));
}

function alone(view: RolloutView): Candidate[] {
  return present(view)
    .filter(({ tunnel, aloneMs }) => aloneMs !== null && aloneMs >= ALONE_MS && tunnelOf(view, tunnel)?.connected)
    .map((engine) => ({ engine, reason: 'it has no network, though its VPN has' }));
}

/** It was started with a port that is forwarded no more. */
function wrongPort(view: RolloutView): Candidate[] {
  return present(view)
    .filter(({ tunnel, givenPort }) => {
      const its = tunnelOf(view, tunnel);
      const port = its?.connected ? its.forwardedPort : null;
      return givenPort !== null && port !== null && givenPort !== port;
    })
    .map((engine) => ({ engine, reason: 'the forwarded port of its VPN has changed' }));
}

/** The port is there, and no engine has it: the next one that is started gets it, so an idle one makes room. */
function forPort(view: RolloutView): Candidate[] {
  return view.tunnels
    .filter(({ connected, forwardedPort }) => connected && forwardedPort !== null)
    .flatMap(({ index, forwardedPort }) => {
      const behind = view.engines.filter(({ tunnel }) => tunnel === index);
      if (behind.some(({ p2pPort }) => p2pPort === forwardedPort)) return [];
      return behind.filter(({ lifecycle, claims }) => lifecycle === 'ready' && claims === 0);
    })
    .map((engine) => ({ engine, reason: 'no engine has the forwarded port yet' }));
}

function stale(view: RolloutView): Candidate[] {
  return present(view)
    .filter(({ tunnel, firstSeen }) => {
      const its = tunnelOf(view, tunnel);
      return its?.connected && firstSeen < its.renewBefore;
    })
    .map((engine) => ({ engine, reason: 'its VPN was away since it was started' }));
}

/** Idle engines of the fuller VPN make room for new ones of the emptier. */
function unbalanced(view: RolloutView): Candidate[] {
  const up = view.tunnels.filter(({ connected }) => connected);
  if (up.length < 2) return [];
  const sizes = up.map(({ index }) => ({ index, size: present(view).filter(({ tunnel }) => tunnel === index).length }));
  const fullest = sizes.reduce((a, b) => (b.size > a.size ? b : a));
  const emptiest = sizes.reduce((a, b) => (b.size < a.size ? b : a));
  if (fullest.size - emptiest.size < 2) return [];
  return present(view)
    .filter(({ tunnel, lifecycle, claims }) => tunnel === fullest.index && lifecycle === 'ready' && claims === 0)
    .map((engine) => ({ engine, reason: 'the other VPN carries fewer engines' }));
}

function tunnelOf(view: RolloutView, index: number | null): TunnelForRollout | undefined {
  return view.tunnels.find((tunnel) => tunnel.index === index);
}
