/**
 * Decides from one observation after another whether the tunnel of a VPN container is up.
 *
 * Neither Docker's health check nor Gluetun's control server reports a dead tunnel soon: Gluetun stays "healthy" for almost three minutes, and its
 * health check may fail while the tunnel works. So the engines behind the tunnel are probed. One engine that reaches the Internet proves that the
 * tunnel is up. Two engines that do not, or one together with Gluetun's status, prove that it is down: a single engine cannot stop the pool.
 */

/**
 * `unknown`: not observed yet. `missing`: no container with this name. `stopped`: the container does not run. `starting`: it runs, the tunnel is not
 * up yet. `up`. `suspect`: something indicates that it is down; it still counts as connected. `down`: the container runs, the tunnel is dead.
 */
export type TunnelPhase = 'unknown' | 'missing' | 'stopped' | 'starting' | 'up' | 'suspect' | 'down';

/** Status of the tunnel as reported by Docker and Gluetun's control server. */
export type ReportedStatus = 'missing' | 'stopped' | 'starting' | 'good' | 'bad' | 'unknown';

/** Results of probing the engines behind the tunnel; only engines in the container's current network count. */
export interface ReachabilityProbes {
  /** Engines that reach the Internet. */
  connected: number;
  /** Engines that do not, or do not answer. */
  cutOff: number;
}

export interface TunnelObservation {
  /** Monotonic milliseconds. */
  at: number;
  reported: ReportedStatus;
  /** Id and start time of the container: changes with each restart. Null if there is no container or Docker does not answer. */
  generation: string | null;
  probes: ReachabilityProbes;
}

export interface TunnelState {
  readonly phase: TunnelPhase;
  /** Start of the phase, monotonic milliseconds. */
  readonly since: number;
  /** Time of the disconnect, monotonic milliseconds; null while connected. */
  readonly lostAt: number | null;
  readonly generation: string | null;
  /** The tunnel was up before. */
  readonly wasUp: boolean;
  /** For logs and API replies. */
  readonly reason: string;
}

export type TunnelEvent =
  | { type: 'connected'; /** Length of the outage; null at the first connection. */ outageMs: number | null }
  | { type: 'disconnected'; reason: string }
  /** The container was restarted or recreated: engines that shared its network have none now. */
  | { type: 'restarted' };

/** A suspect tunnel counts as down after this time, and never after a single observation. */
export const SUSPECT_MS = 900;

export const UNKNOWN_TUNNEL: TunnelState = {
  phase: 'unknown',
  since: 0,
  lostAt: null,
  generation: null,
  wasUp: false,
  reason: 'not observed yet',
};

export function isConnected({ phase }: Pick<TunnelState, 'phase'>): boolean {
  return phase === 'up' || phase === 'suspect';
}

/** The next state after one more observation, and the events in between. */
export function observe(before: TunnelState, observation: TunnelObservation): { state: TunnelState; events: TunnelEvent[] } {
  const events: TunnelEvent[] = [];
  const restarted = observation.generation !== null && before.generation !== null && observation.generation !== before.generation;
  if (restarted) events.push({ type: 'restarted' });
  const { phase, reason } = nextPhase(before, observation, restarted);
  const connected = isConnected({ phase });
  const wasConnected = isConnected(before);
  if (connected && !wasConnected)
    events.push({ type: 'connected', outageMs: before.wasUp ? observation.at - (before.lostAt ?? observation.at) : null });
  if (!connected && wasConnected) events.push({ type: 'disconnected', reason });
  const state: TunnelState = {
    phase,
    since: phase === before.phase ? before.since : observation.at,
    lostAt: connected ? null : (before.lostAt ?? observation.at),
    generation: observation.generation ?? before.generation,
    wasUp: before.wasUp || connected,
    reason,
  };
  return { state, events };
}

interface Verdict {
  phase: TunnelPhase;
  reason: string;
}

function nextPhase(before: TunnelState, observation: TunnelObservation, restarted: boolean): Verdict {
  const { reported, probes, at } = observation;
  if (reported === 'missing') return { phase: 'missing', reason: 'the container does not exist' };
  if (reported === 'stopped') return { phase: 'stopped', reason: 'the container is not running' };
  if (probes.connected > 0) return { phase: 'up', reason: count(probes.connected, 'reaches', 'reach') };
  // A container that has just started is not up yet, which is no failure.
  if (reported === 'starting') return { phase: 'starting', reason: 'the tunnel is starting' };
  const failure = failureOf(reported, probes);
  if (failure !== null) return judgeFailure(before, failure, at, restarted);
  if (reported === 'good') return { phase: 'up', reason: 'Gluetun reports the VPN as up' };
  // Nothing is reported: the last state holds, unless it was of another container.
  if (restarted || before.phase === 'missing' || before.phase === 'stopped' || before.phase === 'unknown')
    return { phase: 'starting', reason: 'no sign yet that the tunnel is up' };
  return { phase: before.phase, reason: before.reason };
}

interface Failure {
  reason: string;
  /** False if a single engine is the only sign: the engine itself may be the problem. */
  proven: boolean;
}

/** What indicates that the tunnel is down; null if nothing does. */
function failureOf(reported: ReportedStatus, { cutOff }: ReachabilityProbes): Failure | null {
  const engines = count(cutOff, 'does not reach', 'do not reach');
  const isBad = reported === 'bad';
  if (cutOff >= 2) return { reason: engines, proven: true };
  if (cutOff === 1) return { reason: isBad ? `${engines}, and Gluetun reports the VPN as down` : engines, proven: isBad };
  return isBad ? { reason: 'Gluetun reports the VPN as down', proven: true } : null;
}

/**
 * A connected tunnel becomes suspect first, because a single observation may be wrong. An unproven failure also turns a tunnel that is down into a
 * suspect one.
 */
function judgeFailure(before: TunnelState, { reason, proven }: Failure, at: number, restarted: boolean): Verdict {
  const wasConnected = isConnected(before);
  if (restarted && wasConnected) return { phase: 'starting', reason };
  const lasts = !wasConnected || (before.phase === 'suspect' && at - before.since >= SUSPECT_MS);
  return { phase: proven && lasts ? 'down' : 'suspect', reason };
}

function count(engines: number, one: string, many: string): string {
  return `${engines} ${engines === 1 ? `engine ${one}` : `engines ${many}`} the Internet`;
}

/** While only probes of engines indicate a dead tunnel, one new engine (canary) may be started per interval. */
export const CANARY_INTERVAL_MS = 60_000;
/** Time in the phase before the first canary: a short outage starts none, and a suspect tunnel normally becomes `down` before. */
export const CANARY_AFTER_MS = { suspect: 3_000, down: 10_000 };

/**
 * Decides whether an engine may be started behind this tunnel now: always if it is up; one per minute if it is suspect or down although its
 * container is healthy, because only a new engine shows whether the others are the problem.
 * @param at current time, monotonic milliseconds, as is `lastCanaryAt`
 */
export function mayStart({ phase, since }: TunnelState, reported: ReportedStatus, at: number, lastCanaryAt: number | null): boolean {
  if (phase === 'up') return true;
  if ((phase !== 'suspect' && phase !== 'down') || reported !== 'good') return false;
  return at - since >= CANARY_AFTER_MS[phase] && (lastCanaryAt === null || at - lastCanaryAt >= CANARY_INTERVAL_MS);
}
