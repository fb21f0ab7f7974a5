import type { HealthStatus } from '@acexy/contracts';
import type { Lifecycle } from '../engines/engine.js';

/** What selection needs to know of an engine. */
export interface Candidate {
  id: string;
  lifecycle: Lifecycle;
  health: HealthStatus;
  forwarded: boolean;
  /** Streams and leases on it. */
  claims: number;
  /** Content keys of its leases and streams. */
  contents: ReadonlySet<string>;
  /** Why it is cordoned, or null. */
  cordoned: string | null;
  /** Wall time in milliseconds; null if never used. */
  lastStreamUsage: number | null;
}

export interface LeaseCriteria {
  /** Content keys: names of the one content. */
  keys: readonly string[];
  /** Ids of engines that must not be selected. */
  exclude: ReadonlySet<string>;
}

export interface Considered {
  container_id: string;
  verdict: string;
}

export interface Selection {
  /** Null if no engine meets the criteria. */
  chosen: Candidate | null;
  reason: string;
  considered: Considered[];
}

const HEALTH_ORDER: Record<HealthStatus, number> = { healthy: 0, unknown: 1, unhealthy: 2 };

/**
 * Selects the engine for a stream from those that are free for it: healthy first, then fewest streams, then the VPN's forwarded port, then longest
 * unused. There is a verdict for every engine.
 */
export function selectEngine(candidates: readonly Candidate[], criteria: LeaseCriteria, maxStreams: number): Selection {
  const considered: Considered[] = [];
  const free: Candidate[] = [];
  for (const candidate of candidates) {
    const obstacle = obstacleOf(candidate, criteria, maxStreams);
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

/** Why the engine does not meet the criteria, or null. */
export function obstacleOf(candidate: Candidate, criteria: LeaseCriteria, maxStreams: number): string | null {
  if (candidate.lifecycle !== 'ready') return candidate.lifecycle;
  if (candidate.health === 'unhealthy') return 'unhealthy';
  if (candidate.cordoned !== null) return `cordoned: ${candidate.cordoned}`;
  if (criteria.exclude.has(candidate.id)) return 'excluded by the request';
  if (criteria.keys.some((key) => candidate.contents.has(key))) return 'already has this content: stopping one stream would end both';
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
  if (other.claims !== chosen.claims) return `it has ${streams(other.claims)}`;
  if (other.forwarded !== chosen.forwarded) return 'it has no forwarded port';
  if (other.lastStreamUsage !== chosen.lastStreamUsage) return 'it was used more recently';
  return 'equal, and its id comes later';
}

function describe({ health, claims, forwarded, lastStreamUsage }: Candidate): string {
  const use = lastStreamUsage === null ? 'never used' : `last used ${new Date(lastStreamUsage).toISOString()}`;
  return `${health}, ${streams(claims)}, ${forwarded ? 'forwarded port, ' : ''}${use}`;
}

function streams(count: number): string {
  return `${count} ${count === 1 ? 'stream' : 'streams'}`;
}
