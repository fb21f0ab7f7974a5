/**
 * Is the tunnel of one VPN container up? From one look after another; pure.
 *
 * Neither Docker's health nor Gluetun's control server tells soon that a tunnel is dead: Gluetun stays "healthy" for almost three minutes,
 * and its health check may be broken while the tunnel is fine. So the engines behind it are witnesses: one that reaches the Internet proves
 * the tunnel; it takes two that do not, or one and Gluetun's own word, to disprove it, so that no single engine stops the house.
 */

/**
 * `unknown`: not looked at yet. `missing`: no container of that name. `stopped`: it does not run. `starting`: it runs, the tunnel is not up
 * yet. `up`. `doubtful`: was up, and something speaks against it; still counts as connected. `down`: it runs, and the tunnel is dead.
 */
export type TunnelPhase = 'unknown' | 'missing' | 'stopped' | 'starting' | 'up' | 'doubtful' | 'down';

/** What runs the tunnel, as Docker or its control server tell. */
export type ReportedStatus = 'missing' | 'stopped' | 'starting' | 'good' | 'bad' | 'unknown';

/** What engines behind the tunnel said in this look; only those that live in the container's present network. */
export interface ReachabilityProbes {
  /** They reach the Internet. */
  connected: number;
  /** They say that they do not, or do not answer at all. */
  cutOff: number;
}

export interface TunnelSighting {
  /** Monotonic milliseconds. */
  at: number;
  own: ReportedStatus;
  /** Names one life of the container: its id and when it was started. Null where there is none, or nobody tells. */
  life: string | null;
  witnesses: ReachabilityProbes;
}

export interface TunnelState {
  readonly phase: TunnelPhase;
  /** Monotonic milliseconds since which it is in this phase. */
  readonly since: number;
  /** Since when it has not been connected; null while it is. */
  readonly lostAt: number | null;
  readonly life: string | null;
  /** It has been up before. */
  readonly wasUp: boolean;
  /** In words, for logs and answers. */
  readonly reason: string;
}

export type TunnelEvent =
  | { type: 'connected'; /** How long it was away; null the first time. */ outageMs: number | null }
  | { type: 'disconnected'; reason: string }
  /** The container was restarted or made anew: what shared its network has none any more. */
  | { type: 'reborn' };

/** Doubt becomes certainty when it has lasted so long, and not in a single look. */
export const DOUBT_MS = 900;

export const UNSEEN: TunnelState = { phase: 'unknown', since: 0, lostAt: null, life: null, wasUp: false, reason: 'not looked at yet' };

export function isConnected({ phase }: Pick<TunnelState, 'phase'>): boolean {
  return phase === 'up' || phase === 'doubtful';
}

/** What the next state is after one more look, and what happened on the way. */
export function look(before: TunnelState, sighting: TunnelSighting): { state: TunnelState; events: TunnelEvent[] } {
  const events: TunnelEvent[] = [];
  const reborn = sighting.life !== null && before.life !== null && sighting.life !== before.life;
  if (reborn) events.push({ type: 'reborn' });
  const { phase, reason } = nextPhase(before, sighting, reborn);
  const connected = isConnected({ phase });
  const wasConnected = isConnected(before);
  if (connected && !wasConnected)
    events.push({ type: 'connected', outageMs: before.wasUp ? sighting.at - (before.lostAt ?? sighting.at) : null });
  if (!connected && wasConnected) events.push({ type: 'disconnected', reason });
  const state: TunnelState = {
    phase,
    since: phase === before.phase ? before.since : sighting.at,
    lostAt: connected ? null : (before.lostAt ?? sighting.at),
    life: sighting.life ?? before.life,
    wasUp: before.wasUp || connected,
    reason,
  };
  return { state, events };
}

interface Verdict {
  phase: TunnelPhase;
  reason: string;
}

function nextPhase(before: TunnelState, sighting: TunnelSighting, reborn: boolean): Verdict {
  const { own, witnesses } = sighting;
  if (own === 'missing') return { phase: 'missing', reason: 'there is no such container' };
  if (own === 'stopped') return { phase: 'stopped', reason: 'the container does not run' };
  if (witnesses.connected > 0) return { phase: 'up', reason: count(witnesses.connected, 'reaches', 'reach') };
  const against = objection(own, witnesses);
  if (against === null) return own === 'good' ? { phase: 'up', reason: 'the VPN says that it is up' } : undecided(before, own, reborn);
  // What has just been started is not up yet, and no reason for doubt.
  if (own === 'starting') return { phase: 'starting', reason: 'the tunnel is being set up' };
  return doubt(before, against, sighting.at, reborn);
}

/** What speaks against the tunnel, or null where nothing does. */
function objection(own: ReportedStatus, { cutOff }: ReachabilityProbes): { reason: string; enough: boolean } | null {
  const engines = count(cutOff, 'does not reach', 'do not reach');
  if (cutOff >= 2) return { reason: engines, enough: true };
  if (cutOff === 1) return { reason: own === 'bad' ? `${engines}, and the VPN says that it is down` : engines, enough: own === 'bad' };
  return own === 'bad' ? { reason: 'the VPN says that it is down', enough: true } : null;
}

function undecided(before: TunnelState, own: ReportedStatus, reborn: boolean): Verdict {
  if (own === 'starting') return { phase: 'starting', reason: 'the tunnel is being set up' };
  // Nobody tells anything: what was last known holds, unless it was known of another container.
  if (reborn || before.phase === 'missing' || before.phase === 'stopped' || before.phase === 'unknown')
    return { phase: 'starting', reason: 'nothing tells yet that the tunnel is up' };
  return { phase: before.phase, reason: before.reason };
}

/** A single look may err, and a single engine, too. */
function doubt(before: TunnelState, { reason, enough }: { reason: string; enough: boolean }, at: number, reborn: boolean): Verdict {
  switch (before.phase) {
    case 'up':
      return reborn ? { phase: 'starting', reason } : { phase: 'doubtful', reason };
    case 'doubtful':
      if (reborn) return { phase: 'starting', reason };
      return { phase: enough && at - before.since >= DOUBT_MS ? 'down' : 'doubtful', reason };
    case 'down':
      // One engine alone that cannot do without Gluetun's word keeps it down as little as it could bring it down.
      return enough ? { phase: 'down', reason } : { phase: 'doubtful', reason };
    case 'unknown':
    case 'missing':
    case 'stopped':
    case 'starting':
      return enough ? { phase: 'down', reason } : { phase: 'doubtful', reason };
    default:
      return before.phase satisfies never;
  }
}

function count(engines: number, one: string, many: string): string {
  return `${engines} ${engines === 1 ? `engine ${one}` : `engines ${many}`} the Internet`;
}

/** While the word of engines alone says that it is down, one new engine may be tried each time this has gone by. */
export const TRIAL_MS = 60_000;
/** A tunnel that is down for less is not tried: a short flap starts nothing. */
export const TRIAL_AFTER_MS = 10_000;
/** Nor is one in doubt before a doubt that becomes certainty would have. */
export const DOUBT_TRIAL_AFTER_MS = 3_000;

/**
 * Whether an engine may be started behind this tunnel now: always where it is up; where it is in doubt or down although its container is
 * well, one a minute, since only a new engine can tell whether the others are at fault.
 * @param at the present, and when the last one was tried: monotonic milliseconds
 */
export function mayStart({ phase, since }: TunnelState, own: ReportedStatus, at: number, triedAt: number | null): boolean {
  const mayTry = own === 'good' && (triedAt === null || at - triedAt >= TRIAL_MS);
  switch (phase) {
    case 'up':
      return true;
    case 'doubtful':
      return mayTry && at - since >= DOUBT_TRIAL_AFTER_MS;
    case 'down':
      return mayTry && at - since >= TRIAL_AFTER_MS;
    case 'unknown':
    case 'missing':
    case 'stopped':
    case 'starting':
      return false;
    default:
      return phase satisfies never;
  }
}
