import type { LeasePurpose } from '@acexy/contracts';
import type { Clock } from '@acexy/service-kit/primitives';
import type { Engine } from '../engines/engine.js';
import type { EngineClaimBook } from './engine-claims.js';
import { type Candidate, type Considered, type LeaseCriteria, obstacleOf, selectEngine, type Selection } from './selection.policy.js';

/** A lease that no report names expires after this. */
export const LEASE_MS = 20_000;
/** A caller that does not ask again for this long loses its place in the queue, or the lease that was granted to it meanwhile. */
export const KEEP_PLACE_MS = 5000;
/** Maximum length of the queue; further callers would not get an engine in time. */
export const MAX_WAITING = 1000;

export interface AllocationRequest extends LeaseCriteria {
  requestId: string;
  proxyId: string;
  purpose: LeasePurpose;
}

export interface Lease {
  readonly id: string;
  readonly requestId: string;
  readonly proxyId: string;
  readonly engineId: string;
  /** Content keys. */
  readonly keys: readonly string[];
  readonly purpose: LeasePurpose;
  readonly reason: string;
  readonly considered: readonly Considered[];
  /** Milliseconds from the first request until the grant. */
  readonly waitedMs: number;
  /** Monotonic milliseconds; infinite while a report names the lease. */
  readonly expiresAt: number;
  /** Its caller received it, or had a call open when it was granted. */
  readonly delivered: boolean;
  /** A report has named it. */
  readonly reported: boolean;
}

/** `full`: no engine is free and the queue is full. */
export type LeaseOutcome = { kind: 'granted'; lease: Lease } | { kind: 'waiting'; position: number } | { kind: 'full' };

interface QueuedRequest {
  request: AllocationRequest;
  arrival: number;
  /** Monotonic milliseconds, like `lastAsked`. */
  since: number;
  openCalls: number;
  lastAsked: number;
}

export interface LeaseBookOptions {
  clock: Clock;
  claims: EngineClaimBook;
  engines: () => readonly Engine[];
  maxStreamsPerEngine: number;
  newId: () => string;
  /** Called at once for every lease that is granted. */
  onGrant: (lease: Lease) => void;
  /** Called at once for every standby lease that is revoked because another request needs its engine. */
  onRevoke: (lease: Lease) => void;
}

function mayBecomeFree({ lifecycle, health, claims, cordoned }: Candidate): boolean {
  return lifecycle === 'ready' && health !== 'unhealthy' && claims > 0 && cordoned === null;
}

/** Criteria that every engine with a free place meets. */
const ANYTHING: LeaseCriteria = { keys: [], exclude: new Set() };

/** Viewers whose picture froze come first, then viewers who wait for their first picture, then standby engines. */
const RANK: Record<LeasePurpose, number> = { failover: 0, start: 1, reserve: 2 };

/**
 * Which engine is leased to whom, and the queue of requests that wait. Every operation is synchronous, so two callers can never get the same
 * place.
 */
export class LeaseBook {
  private readonly leases = new Map<string, Lease>();
  private readonly byRequest = new Map<string, string>();
  private readonly waiting = new Map<string, QueuedRequest>();
  private arrivals = 0;

  constructor(private readonly options: LeaseBookOptions) {}

  /** Grants a lease or queues the request. Asking again with the same request id gives the same lease or place. */
  ask(request: AllocationRequest): LeaseOutcome {
    const { requestId, purpose } = request;
    const known = this.leaseOfRequest(requestId);
    if (known) {
      // A standby engine that is asked for again is needed now.
      if (known.purpose === 'reserve') Object.assign(known, { purpose });
      return { kind: 'granted', lease: this.deliver(known) };
    }
    const now = this.options.clock.now();
    const queued = this.waiting.get(requestId);
    if (queued) Object.assign(queued, { request, lastAsked: now });
    else if (this.waiting.size >= MAX_WAITING) return { kind: 'full' };
    else this.waiting.set(requestId, { request, arrival: this.arrivals++, since: now, openCalls: 0, lastAsked: now });
    this.settle();
    const granted = this.leaseOfRequest(requestId);
    return granted ? { kind: 'granted', lease: this.deliver(granted) } : { kind: 'waiting', position: this.position(requestId) };
  }

  /** Gives free engines to the queue in order; when none is free, it revokes standby leases. */
  settle(): void {
    if (this.waiting.size === 0) return;
    let candidates: Candidate[] | null = null; // a grant changes them
    for (const queued of this.queue()) {
      candidates ??= this.candidates();
      // With a long queue usually no engine is free: the other requests need no check.
      const free = candidates.some((candidate) => obstacleOf(candidate, ANYTHING, this.options.maxStreamsPerEngine) === null);
      if (!free && this.standbyLeases().length === 0) return;
      const selected = this.select(queued.request, candidates);
      const selection = selected.chosen ? selected : this.revokeStandbyFor(queued.request);
      if (!selection?.chosen) continue;
      this.grant(queued, selection.chosen.id, selection);
      candidates = null;
    }
  }

  /** The engine that a request would get now; nothing is reserved. */
  preview(criteria: LeaseCriteria): Selection {
    return this.select(criteria, this.candidates());
  }

  callOpened(requestId: string): void {
    const queued = this.waiting.get(requestId);
    if (queued) queued.openCalls++;
  }

  callClosed(requestId: string): void {
    const queued = this.waiting.get(requestId);
    if (!queued) return;
    queued.openCalls--;
    queued.lastAsked = this.options.clock.now();
  }

  /** Removes a request from the queue. @returns false if it does not wait */
  withdraw(requestId: string): boolean {
    return this.waiting.delete(requestId);
  }

  /** The caller receives the lease: its full time starts now. */
  deliver(lease: Lease): Lease {
    if (!lease.delivered) Object.assign(lease, { delivered: true, expiresAt: this.options.clock.now() + LEASE_MS });
    return lease;
  }

  leaseOfRequest(requestId: string): Lease | undefined {
    return this.leases.get(this.byRequest.get(requestId) ?? '');
  }

  /** 1 is next; 0 for a request that does not wait. */
  position(requestId: string): number {
    return this.queue().findIndex(({ request }) => request.requestId === requestId) + 1;
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  /** Requests in the queue whose viewers wait. */
  get viewersWaiting(): number {
    return [...this.waiting.values()].filter(({ request }) => request.purpose !== 'reserve').length;
  }

  /**
   * Whether a request that no new engine will serve keeps waiting for one in use: players that change channels close the old connection some
   * seconds after they asked for the new one. Only first tries wait: after a failed engine, a quick answer is better.
   */
  mayWaitForRelease(requestId: string, limitMs: number): boolean {
    const queued = this.waiting.get(requestId);
    if (!queued || queued.request.purpose === 'reserve' || queued.request.exclude.size > 0) return false;
    return this.options.clock.now() - queued.since < limitMs && this.candidates().some(mayBecomeFree);
  }

  get leaseCount(): number {
    return this.leases.size;
  }

  /** A report of a proxy renews the leases it names and ends those that an earlier report named. @returns the ended ones */
  renew(proxyId: string, leaseIds: ReadonlySet<string>): Lease[] {
    const dropped = this.dropAll((lease) => lease.proxyId === proxyId && lease.reported && !leaseIds.has(lease.id));
    for (const lease of this.leases.values())
      if (lease.proxyId === proxyId && leaseIds.has(lease.id))
        Object.assign(lease, { expiresAt: Infinity, delivered: true, reported: true });
    return dropped;
  }

  /** Ends all leases of a proxy that is silent or restarted. */
  releaseOf(proxyId: string): Lease[] {
    return this.dropAll((lease) => lease.proxyId === proxyId);
  }

  /** @param id of the lease, or of the request, whose caller may not know the lease yet */
  release(id: string): Lease | null {
    const lease = this.leases.get(id) ?? this.leaseOfRequest(id);
    return lease ? this.drop(lease) : null;
  }

  /** Ends what has expired by now. @returns the expired leases and the ids of the abandoned requests */
  expire(): { expired: Lease[]; abandoned: string[] } {
    const now = this.options.clock.now();
    const abandoned = [...this.waiting.values()]
      .filter(({ openCalls, lastAsked }) => openCalls === 0 && lastAsked + KEEP_PLACE_MS <= now)
      .map(({ request }) => request.requestId);
    for (const requestId of abandoned) this.waiting.delete(requestId);
    return { expired: this.dropAll(({ expiresAt }) => expiresAt <= now), abandoned };
  }

  /** The engine is gone: its leases and claims end. */
  engineGone(engineId: string): Lease[] {
    const ended = this.dropAll((lease) => lease.engineId === engineId);
    this.options.claims.forget(engineId);
    return ended;
  }

  private standbyLeases(): Lease[] {
    return [...this.leases.values()].filter(({ purpose, reported }) => purpose === 'reserve' && !reported);
  }

  /** An engine for a request that needs it now, taken from a standby lease; null if none suits. */
  private revokeStandbyFor(request: AllocationRequest): Selection | null {
    if (request.purpose === 'reserve') return null;
    for (const lease of this.standbyLeases()) {
      this.drop(lease);
      const selection = this.preview(request);
      if (selection.chosen) {
        this.options.onRevoke(lease);
        return selection;
      }
      this.keep(lease);
    }
    return null;
  }

  private select(criteria: LeaseCriteria, candidates: readonly Candidate[]): Selection {
    return selectEngine(candidates, criteria, this.options.maxStreamsPerEngine);
  }

  private candidates(): Candidate[] {
    return this.options.engines().map(({ id, lifecycle, health, forwarded, cutOff, lastStreamUsage }) => {
      const { count, contents, cordon } = this.options.claims.on(id);
      return { id, lifecycle, health, forwarded, claims: count, contents, cordoned: cutOff ?? cordon?.reason ?? null, lastStreamUsage };
    });
  }

  private queue(): QueuedRequest[] {
    return [...this.waiting.values()].sort((a, b) => RANK[a.request.purpose] - RANK[b.request.purpose] || a.arrival - b.arrival);
  }

  private grant({ request, since, lastAsked, openCalls }: QueuedRequest, engineId: string, { reason, considered }: Selection): void {
    const { clock, newId, onGrant } = this.options;
    const { requestId, proxyId, keys, purpose } = request;
    const lease: Lease = {
      id: newId(),
      requestId,
      proxyId,
      engineId,
      keys,
      purpose,
      reason,
      considered,
      waitedMs: clock.now() - since,
      expiresAt: lastAsked + KEEP_PLACE_MS,
      delivered: false,
      reported: false,
    };
    this.waiting.delete(requestId);
    this.keep(lease);
    if (openCalls > 0) this.deliver(lease);
    onGrant(lease);
  }

  private keep(lease: Lease): void {
    this.leases.set(lease.id, lease);
    this.byRequest.set(lease.requestId, lease.id);
    this.options.claims.addLease(lease);
  }

  private dropAll(ends: (lease: Lease) => boolean): Lease[] {
    return [...this.leases.values()].filter(ends).map((lease) => this.drop(lease));
  }

  private drop(lease: Lease): Lease {
    this.leases.delete(lease.id);
    this.byRequest.delete(lease.requestId);
    this.options.claims.removeLease(lease);
    return lease;
  }
}
