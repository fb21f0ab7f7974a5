import type { HealthStatus } from '@acexy/contracts';
import type { Lifecycle } from '../engines/engine-registry.js';

/** What the choice needs to know of an engine. */
export interface Candidate {
  id: string;
  lifecycle: Lifecycle;
  health: HealthStatus;
  forwarded: boolean;
  /** Streams and leases on it. */
  claims: number;
  /** The names of the contents that play on it or are about to. */
  contents: ReadonlySet<string>;
  /** Why it is kept back although it looks free, or null. */
  held: string | null;
  /** Milliseconds since the epoch; null for never. */
  lastStreamUsage: number | null;
}

export interface Wish {
  /** The names of the content. */
  keys: readonly string[];
  /** Engines not to take. */
  exclude: ReadonlySet<string>;
}

export interface Considered {
  container_id: string;
  verdict: string;
}

export interface Selection {
  /** The engine to take, or null where none is free for this wish. */
  chosen: Candidate | null;
  reason: string;
  considered: Considered[];
}

const HEALTH_ORDER: Record<HealthStatus, number> = { healthy: 0, unknown: 1, unhealthy: 2 };

/**
 * Which engine a stream gets: of those that are free for it the healthy ones first, then the one with the fewest streams, then one that
 * has the VPN's forwarded port, then the one unused for longest. The verdicts say of every engine why it was not taken.
 */
export function selectEngine(candidates: readonly Candidate[], wish: Wish, maxStreams: number): Selection {
  const considered: Considered[] = [];
  const free: Candidate[] = [];
  for (const candidate of candidates) {
    const obstacle = obstacleOf(candidate, wish, maxStreams);
    if (obstacle === null) free.push(candidate);
    else considered.push({ container_id: candidate.id, verdict: obstacle });
  }
  free.sort(byPreference);
  const [chosen, ...others] = free;
  if (!chosen) return { chosen: null, reason: `no engine is free: ${considered.length} considered`, considered };
  considered.unshift(
    { container_id: chosen.id, verdict: 'chosen' },
    ...others.map((other) => ({ container_id: other.id, verdict: `free, but ${comparison(chosen, other)}` })),
  );
  return { chosen, reason: `${describe(chosen)}, best of ${free.length} free`, considered };
}

/** Why the engine cannot be taken for this wish, or null. */
export function obstacleOf(candidate: Candidate, wish: Wish, maxStreams: number): string | null {
  if (candidate.lifecycle !== 'ready') return candidate.lifecycle;
  if (candidate.health === 'unhealthy') return 'unhealthy';
  if (candidate.held !== null) return `kept back: ${candidate.held}`;
  if (wish.exclude.has(candidate.id)) return 'excluded by the request';
  if (wish.keys.some((key) => candidate.contents.has(key))) return 'has this content already, and a stop there would end both';
  if (candidate.claims >= maxStreams) return `full: ${candidate.claims} of ${maxStreams} streams`;
  return null;
}

function byPreference(a: Candidate, b: Candidate): number {
  return (
    HEALTH_ORDER[a.health] - HEALTH_ORDER[b.health] ||
    a.claims - b.claims ||
    Number(b.forwarded) - Number(a.forwarded) ||
    (a.lastStreamUsage ?? 0) - (b.lastStreamUsage ?? 0) ||
    (a.id < b.id ? -1 : 1)
  );
}

function comparison(chosen: Candidate, other: Candidate): string {
  if (HEALTH_ORDER[other.health] !== HEALTH_ORDER[chosen.health]) return `its health is ${other.health}`;
  if (other.claims !== chosen.claims) return `it has ${other.claims} streams`;
  if (other.forwarded !== chosen.forwarded) return 'it has no forwarded port';
  if (other.lastStreamUsage !== chosen.lastStreamUsage) return 'it was used more recently';
  return 'equal, and its id comes later';
}

function describe({ health, claims, forwarded, lastStreamUsage }: Candidate): string {
  const use = lastStreamUsage === null ? 'never used' : `last used ${new Date(lastStreamUsage).toISOString()}`;
  return `${health}, ${claims} ${claims === 1 ? 'stream' : 'streams'}, ${forwarded ? 'forwarded port, ' : ''}${use}`;
}
