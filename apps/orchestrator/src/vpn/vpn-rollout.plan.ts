/** Plans each round for the engines behind VPNs: which rejoin their network, which are drained, and which one is replaced. */
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
  forwardedPorts: readonly number[];
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
/** Time for the pool to start another engine after a replacement. A pool that has none by then needs fewer engines. */
const RECOVERY_MS = 20_000;
const PAUSE_MS = 1_000;

export function planRollout(view: RolloutView): RolloutPlan {
  const drain = [...withoutContainer(view), ...behindFailedVpn(view)];
  const rejoin = inOldNetwork(view);
  // Repairs first: a replacement at the same time would only remove more engines.
  const next = drain.length + rejoin.length > 0 || isBusy(view) ? null : nextToReplace(view);
  return { rejoin, drain: next ? [next] : drain, replaced: next?.id ?? null };
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
    .filter((engine) => engine.network === 'earlier-generation' && connectedTunnelOf(engine, view))
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

/** One replacement at a time: the next one waits until the pool has started another engine, or has had enough time for it. */
function isBusy({ engines, last }: RolloutView): boolean {
  if (engines.some(({ lifecycle }) => lifecycle === 'starting' || lifecycle === 'draining')) return true;
  if (!last) return false;
  if (last.agoMs < PAUSE_MS) return true;
  return last.agoMs < RECOVERY_MS && usableOf(engines).length < last.usableBefore;
}

interface ReplacementRule {
  reason: string;
  /** @param tunnel the tunnel of the engine; undefined if it is not connected, or if there is none */
  applies(engine: EngineBehindVpn, tunnel: TunnelForRollout | undefined, view: RolloutView): boolean;
}

const isIdle = ({ claims }: EngineBehindVpn): boolean => claims === 0;

/** The engine was started with a port that is no longer forwarded. */
const oldPort: ReplacementRule = {
  reason: 'the forwarded port of its VPN has changed',
  applies: ({ givenPort }, tunnel) =>
    givenPort !== null && tunnel !== undefined && tunnel.forwardedPorts.length > 0 && !tunnel.forwardedPorts.includes(givenPort),
};

/** Why a ready engine is replaced, most urgent reason first. */
const REPLACEMENT_RULES: readonly ReplacementRule[] = [
  {
    reason: 'it is not behind a configured VPN',
    applies: (engine, _, { tunnels }) => engine.tunnel === null && tunnels.some(({ connected }) => connected),
  },
  {
    reason: 'it has no network, but its VPN has one',
    applies: ({ unreachableMs }, tunnel) => tunnel !== undefined && unreachableMs !== null && unreachableMs >= UNREACHABLE_MS,
  },
  // For a forwarded port an idle engine is replaced first, before any viewer is moved.
  { ...oldPort, applies: (engine, ...others) => isIdle(engine) && oldPort.applies(engine, ...others) },
  {
    // The next engine that starts gets the port.
    reason: 'an engine that uses the forwarded port replaces it',
    applies: (engine, tunnel, { engines }) =>
      isIdle(engine) &&
      tunnel !== undefined &&
      !tunnel.forwardedPorts.includes(engine.p2pPort) &&
      tunnel.forwardedPorts.some((port) => !engines.some((other) => other.tunnel === tunnel.index && other.p2pPort === port)),
  },
  oldPort,
  {
    reason: 'its VPN had an outage after this engine started',
    applies: ({ firstSeen }, tunnel) => tunnel !== undefined && firstSeen < tunnel.replaceBefore,
  },
  {
    reason: 'the other VPN has fewer engines',
    applies: (engine, tunnel, view) => isIdle(engine) && tunnel !== undefined && tunnel.index === fullestTunnel(view),
  },
];

function nextToReplace(view: RolloutView): RolloutPlan['drain'][number] | null {
  // An engine with streams is replaced only if they can move: to a free engine, or to a new one if there is room.
  const canMove = view.total < view.limit || usableOf(view.engines).some(isIdle);
  const candidates = view.engines
    .filter((engine) => engine.lifecycle === 'ready' && (isIdle(engine) || canMove))
    .sort((a, b) => a.claims - b.claims || (a.id < b.id ? -1 : 1));
  for (const { reason, applies } of REPLACEMENT_RULES) {
    const next = candidates.find((engine) => applies(engine, connectedTunnelOf(engine, view), view));
    if (next) return { id: next.id, reason, graceMs: MOVE_MS };
  }
  return null;
}

/** Index of the VPN with the most engines; null if no other one that is up has at least two engines fewer. */
function fullestTunnel({ engines, tunnels }: RolloutView): number | null {
  const sizes = tunnels
    .filter(({ connected }) => connected)
    .map(({ index }) => ({ index, size: engines.filter(({ tunnel }) => tunnel === index).length }))
    .sort((a, b) => b.size - a.size);
  const [fullest, emptiest] = [sizes.at(0), sizes.at(-1)];
  return fullest && emptiest && fullest.size - emptiest.size >= 2 ? fullest.index : null;
}

function connectedTunnelOf({ tunnel }: EngineBehindVpn, { tunnels }: RolloutView): TunnelForRollout | undefined {
  return tunnels.find(({ index, connected }) => connected && index === tunnel);
}
