/** Plans for the engines behind VPNs: which rejoin their network, which are drained, and which are replaced one by one. A new plan is made per round. */
import type { NetworkOfEngine } from './reachability-probes.js';

export interface EngineBehindVpn {
  id: string;
  lifecycle: 'starting' | 'ready' | 'draining' | 'gone';
  /** Number of streams and leases. */
  claims: number;
  /** Index of its tunnel; null if it is behind none, or behind one that is no longer in the settings. */
  tunnel: number | null;
  network: NetworkOfEngine;
  /** It has no network, according to its tunnel or to its own probes. */
  cutOff: boolean;
  /** Milliseconds for which only this engine has had no network; null if it has one. */
  unreachableMs: number | null;
  /** Milliseconds since the epoch. */
  firstSeen: number;
  p2pPort: number;
  /** Forwarded port that it was started with; null without one. */
  givenPort: number | null;
}

export interface TunnelForRollout {
  index: number;
  connected: boolean;
  /** Milliseconds since the disconnect; 0 while connected. */
  lostMs: number;
  forwardedPort: number | null;
  /** Engines first seen before this time (milliseconds since the epoch) are replaced. */
  replaceBefore: number;
}

export interface RolloutView {
  engines: readonly EngineBehindVpn[];
  tunnels: readonly TunnelForRollout[];
  /** Current number of engines, and the maximum. */
  total: number;
  limit: number;
  /** The last single replacement: how long ago, and how many engines were usable before it. */
  last: { agoMs: number; usableBefore: number } | null;
}

export interface RolloutPlan {
  /** Engines to restart so that they join the current network of their container. */
  rejoin: string[];
  drain: { id: string; reason: string; /** Time for moving viewers, in milliseconds. */ graceMs: number }[];
  /** The one of `drain` that is a single replacement. */
  replaced: string | null;
}

/** After a longer outage the engines behind the VPN are drained if another VPN is up. */
export const FAILED_VPN_MS = 20_000;
/** A single engine without a network is replaced after this time. */
export const UNREACHABLE_MS = 60_000;
/** Time for moving viewers. */
const MOVE_MS = 60_000;
/** Maximum number of engines that restart at the same time. */
const MAX_PARALLEL_REJOINS = 5;
/** Time for the pool to start another engine after a replacement; after it, the pool may want fewer engines. */
const RECOVERY_MS = 20_000;
const PAUSE_MS = 1_000;

export function planRollout(view: RolloutView): RolloutPlan {
  const lost = withoutContainer(view);
  const left = behindFailedVpn(view);
  const rejoin = inOldNetwork(view);
  const out = new Set([...lost, ...left].map(({ id }) => id));
  // Repairs first: a replacement at the same time would only remove more engines.
  const next = out.size + rejoin.length > 0 || isBusy(view) ? null : nextToReplace(view);
  return { rejoin, drain: [...lost, ...left, ...(next ? [next] : [])], replaced: next?.id ?? null };
}

/** Ready engines that have a network. */
export function usableOf(engines: readonly EngineBehindVpn[]): EngineBehindVpn[] {
  return engines.filter((engine) => engine.lifecycle === 'ready' && !engine.cutOff);
}

function present(view: RolloutView): EngineBehindVpn[] {
  return view.engines.filter(({ lifecycle }) => lifecycle !== 'draining');
}

/** Engines in the network of a removed container: they can never get a network again. */
function withoutContainer(view: RolloutView): RolloutPlan['drain'] {
  return present(view)
    .filter(({ network }) => network === 'other-container')
    .map(({ id }) => ({ id, reason: 'its VPN container is gone', graceMs: 0 }));
}

/** A restarted container has a new network; engines started before have none. Engines with streams come first. */
function inOldNetwork(view: RolloutView): string[] {
  return present(view)
    .filter(({ network, tunnel }) => network === 'earlier-generation' && tunnel !== null && tunnelOf(view, tunnel)?.connected)
    .sort((a, b) => b.claims - a.claims || (a.id < b.id ? -1 : 1))
    .slice(0, MAX_PARALLEL_REJOINS)
    .map(({ id }) => id);
}

/** Engines behind a VPN with a long outage are drained if another VPN is up. */
function behindFailedVpn(view: RolloutView): RolloutPlan['drain'] {
  if (!view.tunnels.some(({ connected }) => connected)) return [];
  const failed = new Set(view.tunnels.filter(({ connected, lostMs }) => !connected && lostMs >= FAILED_VPN_MS).map(({ index }) => index));
  return present(view)
    .filter(({ tunnel, network }) => tunnel !== null && failed.has(tunnel) && network !== 'other-container')
    .map(({ id }) => ({ id, reason: 'its VPN is down, another is up', graceMs: MOVE_MS }));
}

/** One replacement at a time: the last one is filled again, or the pool had enough time to fill it. */
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
  // For the forwarded port an idle engine is replaced first, before any viewer is moved.
  const [wrongIdle, wrongPlaying] = [wrongPort(view).filter(({ engine }) => engine.claims === 0), wrongPort(view)];
  for (const candidates of [
    behindNoVpn(view),
    unreachable(view),
    wrongIdle,
    freeForPort(view),
    wrongPlaying,
    fromBeforeOutage(view),
    unbalanced(view),
  ]) {
    const idleFirst = [...candidates].sort((a, b) => a.engine.claims - b.engine.claims || (a.engine.id < b.engine.id ? -1 : 1));
    for (const { engine, reason } of idleFirst) {
      // An engine with streams is replaced only if they can move: a free engine, or room for another.
      const canMove = free.some(({ id }) => id !== engine.id) || view.total < view.limit;
      if (engine.claims === 0 || canMove) return { id: engine.id, reason, graceMs: MOVE_MS };
    }
  }
  return null;
}

/** Engines started without a VPN, or behind one that is no longer in the settings. */
function behindNoVpn(view: RolloutView): Candidate[] {
  if (!view.tunnels.some(({ connected }) => connected)) return [];
  return present(view)
    .filter(({ tunnel }) => tunnel === null)
    .map((engine) => ({ engine, reason: 'it is not behind a configured VPN' }));
}

function unreachable(view: RolloutView): Candidate[] {
  return present(view)
    .filter(({ tunnel, unreachableMs }) => unreachableMs !== null && unreachableMs >= UNREACHABLE_MS && tunnelOf(view, tunnel)?.connected)
    .map((engine) => ({ engine, reason: 'it has no network, but its VPN has one' }));
}

/** Engines started with a port that is no longer forwarded. */
function wrongPort(view: RolloutView): Candidate[] {
  return present(view)
    .filter(({ tunnel, givenPort }) => {
      const own = tunnelOf(view, tunnel);
      const port = own?.connected ? own.forwardedPort : null;
      return givenPort !== null && port !== null && givenPort !== port;
    })
    .map((engine) => ({ engine, reason: 'the forwarded port of its VPN has changed' }));
}

/** If no engine uses the forwarded port, an idle engine is replaced, because the next one that starts gets the port. */
function freeForPort(view: RolloutView): Candidate[] {
  return view.tunnels
    .filter(({ connected, forwardedPort }) => connected && forwardedPort !== null)
    .flatMap(({ index, forwardedPort }) => {
      const behind = view.engines.filter(({ tunnel }) => tunnel === index);
      if (behind.some(({ p2pPort }) => p2pPort === forwardedPort)) return [];
      return behind.filter(({ lifecycle, claims }) => lifecycle === 'ready' && claims === 0);
    })
    .map((engine) => ({ engine, reason: 'no engine uses the forwarded port yet' }));
}

function fromBeforeOutage(view: RolloutView): Candidate[] {
  return present(view)
    .filter(({ tunnel, firstSeen }) => {
      const own = tunnelOf(view, tunnel);
      return own?.connected && firstSeen < own.replaceBefore;
    })
    .map((engine) => ({ engine, reason: 'its VPN was disconnected since it was started' }));
}

/** Idle engines of the VPN with the most engines are replaced by engines of the one with the fewest. */
function unbalanced(view: RolloutView): Candidate[] {
  const up = view.tunnels.filter(({ connected }) => connected);
  if (up.length < 2) return [];
  const sizes = up.map(({ index }) => ({ index, size: present(view).filter(({ tunnel }) => tunnel === index).length }));
  const fullest = sizes.reduce((a, b) => (b.size > a.size ? b : a));
  const emptiest = sizes.reduce((a, b) => (b.size < a.size ? b : a));
  if (fullest.size - emptiest.size < 2) return [];
  return present(view)
    .filter(({ tunnel, lifecycle, claims }) => tunnel === fullest.index && lifecycle === 'ready' && claims === 0)
    .map((engine) => ({ engine, reason: 'the other VPN has fewer engines' }));
}

function tunnelOf(view: RolloutView, index: number | null): TunnelForRollout | undefined {
  return view.tunnels.find((tunnel) => tunnel.index === index);
}
