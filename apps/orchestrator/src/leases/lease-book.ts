import type { LeasePurpose } from '@acexy/contracts';
import type { Clock } from '@acexy/service-kit/primitives';
import { EngineClaimBook, type Hold, type Occupant } from './engine-claims.js';
import type { Engine } from '../engines/engine-registry.js';
import { type Candidate, type Considered, obstacleOf, type Selection, selectEngine, type Wish } from './selection.policy.js';

/** A lease nobody names in a report lapses after this (wire API, section 5). */
export const LEASE_MS = 20_000;
/** How long a caller who waits but does not ask keeps its place, and what was granted to it meanwhile. */
export const KEEP_PLACE_MS = 5000;
/** How many may wait; beyond that nobody's turn would come in time. */
export const MOST_WAITING = 1000;

export interface LeaseDemand {
  requestId: string;
  proxyId: string;
  /** The names of the content. */
  keys: readonly string[];
  exclude: ReadonlySet<string>;
  purpose: LeasePurpose;
}

export interface Lease {
  readonly id: string;
  readonly requestId: string;
  readonly proxyId: string;
  readonly engineId: string;
  readonly keys: readonly string[];
  readonly purpose: LeasePurpose;
  readonly reason: string;
  readonly considered: readonly Considered[];
  /** Milliseconds from the first question until it was granted. */
  readonly waitedMs: number;
  /** Monotonic milliseconds; infinite while a report names it. */
  readonly expiresAt: number;
  /** Whether its caller can have heard of it. */
  readonly delivered: boolean;
  /** A report has named it. */
  readonly reported: boolean;
}

/** `full`: nothing is free and too many wait already. */
export type Asked = { kind: 'granted'; lease: Lease } | { kind: 'waiting'; position: number } | { kind: 'full' };

interface Waiting {
  demand: LeaseDemand;
  arrival: number;
  since: number;
  /** Calls that are open and wait for it. */
  attended: number;
  lastAsked: number;
}

type KnownLease = { -readonly [K in keyof Lease]: Lease[K] };

export interface LeaseBookOptions {
  clock: Clock;
  engines: () => readonly Engine[];
  maxStreamsPerEngine: number;
  newId: () => string;
  /** Called for every lease that is granted, at once. */
  onGrant: (lease: Lease) => void;
  /** Called for every lease in reserve that is taken back for somebody who needs the engine now, at once. */
  onRevoke: (lease: Lease) => void;
}

/** What every engine with room can fulfil. */
const ANYTHING: Wish = { keys: [], exclude: new Set() };

/** Viewers who had a picture come first, then those who wait for one; what is only taken in advance comes last. */
const RANK: Record<LeasePurpose, number> = { failover: 0, start: 1, reserve: 2 };

/**
 * Who may use which engine: grants, the queue of those who wait, and what plays where. Everything happens within one call and without
 * waiting, so that no two callers can ever get the same place.
 */
export class LeaseBook {
  private readonly claims = new EngineClaimBook();
  private readonly leases = new Map<string, KnownLease>();
  private readonly byRequest = new Map<string, string>();
  private readonly waiting = new Map<string, Waiting>();
  private arrivals = 0;

  constructor(private readonly options: LeaseBookOptions) {}

  /** A lease or a place in the queue. Asking again with the same request id gives the same one. */
  ask(demand: LeaseDemand): Asked {
    const now = this.options.clock.now();
    const mine = this.known(demand.requestId);
    if (mine) {
      // What was held in reserve is needed now.
      if (mine.purpose === 'reserve') mine.purpose = demand.purpose;
      return { kind: 'granted', lease: this.deliver(mine) };
    }
    const place = this.waiting.get(demand.requestId);
    if (place) Object.assign(place, { demand, lastAsked: now });
    else if (this.waiting.size >= MOST_WAITING) return { kind: 'full' };
    else this.waiting.set(demand.requestId, { demand, arrival: this.arrivals++, since: now, attended: 0, lastAsked: now });
    this.settle();
    const granted = this.leaseOfRequest(demand.requestId);
    return granted ? { kind: 'granted', lease: this.deliver(granted) } : { kind: 'waiting', position: this.position(demand.requestId) };
  }

  /** Gives what is free to those who wait, in order; and where nothing is, what others hold in reserve only. */
  settle(): void {
    if (this.waiting.size === 0) return;
    let candidates = this.candidates();
    for (const place of this.queue()) {
      // The usual case with many waiting is that nothing is free at all.
      const free = candidates.some((candidate) => obstacleOf(candidate, ANYTHING, this.options.maxStreamsPerEngine) === null);
      if (!free && this.reserves().length === 0) return;
      const selected = this.select(place.demand, candidates);
      const selection = selected.chosen ? selected : this.takeFromReserve(place.demand);
      if (!selection?.chosen) continue;
      this.grant(place, selection.chosen.id, selection);
      candidates = this.candidates();
    }
  }

  /** What a request would get, without asking. */
  preview(wish: Wish): Selection {
    return this.select(wish, this.candidates());
  }

  /** The caller's open call waits on; `leave` ends that. */
  attend(requestId: string): void {
    const place = this.waiting.get(requestId);
    if (place) place.attended++;
  }

  leave(requestId: string): void {
    const place = this.waiting.get(requestId);
    if (!place) return;
    place.attended--;
    place.lastAsked = this.options.clock.now();
  }

  /** The caller was told that there is nothing to wait for, or wants no engine any more. @returns false for one that does not wait */
  withdraw(requestId: string): boolean {
    return this.waiting.delete(requestId);
  }

  /** The lease of a request, as told to its caller: from here on it runs its full time. */
  deliver(lease: Lease): Lease {
    const known = this.leases.get(lease.id);
    if (!known || known.delivered) return lease;
    known.delivered = true;
    known.expiresAt = this.options.clock.now() + LEASE_MS;
    return known;
  }

  leaseOfRequest(requestId: string): Lease | undefined {
    return this.known(requestId);
  }

  /** 1 is next; 0 for a request that does not wait. */
  position(requestId: string): number {
    return this.queue().findIndex((place) => place.demand.requestId === requestId) + 1;
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  get leaseCount(): number {
    return this.leases.size;
  }

  /** A report names these leases of a proxy: they stay; those named before and not any more are given back. @returns the latter */
  reported(proxyId: string, leaseIds: ReadonlySet<string>): Lease[] {
    const dropped: Lease[] = [];
    for (const lease of [...this.leases.values()]) {
      if (lease.proxyId !== proxyId) continue;
      if (leaseIds.has(lease.id)) Object.assign(lease, { expiresAt: Infinity, delivered: true, reported: true });
      else if (lease.reported) dropped.push(this.drop(lease));
    }
    return dropped;
  }

  /** Gives back all leases of a proxy that is silent or was started anew. */
  releaseOf(proxyId: string): Lease[] {
    return [...this.leases.values()].filter((lease) => lease.proxyId === proxyId).map((lease) => this.drop(lease));
  }

  /** @param id of the lease or of the request it was granted to, whose caller may not know the lease */
  release(id: string): Lease | null {
    const lease = this.leases.get(id) ?? this.leaseOfRequest(id);
    return lease ? this.drop(lease) : null;
  }

  /** Ends what has run out by now. */
  expire(): { lapsed: Lease[]; abandoned: string[] } {
    const now = this.options.clock.now();
    const lapsed = [...this.leases.values()].filter((lease) => lease.expiresAt <= now).map((lease) => this.drop(lease));
    const abandoned = [...this.waiting.values()]
      .filter((place) => place.attended === 0 && place.lastAsked + KEEP_PLACE_MS <= now)
      .map((place) => place.demand.requestId);
    for (const requestId of abandoned) this.waiting.delete(requestId);
    return { lapsed, abandoned };
  }

  occupy(occupant: Occupant): boolean {
    return this.claims.occupy(occupant);
  }

  engineOf(streamId: string): string | null {
    return this.claims.engineOf(streamId);
  }

  vacate(streamId: string): string | null {
    return this.claims.vacate(streamId);
  }

  hold(engineId: string, owner: string, hold: Hold): void {
    this.claims.hold(engineId, owner, hold);
  }

  lift(engineId: string, owner: string): boolean {
    return this.claims.lift(engineId, owner);
  }

  /** The engine is gone: its leases end, its streams play nowhere. */
  engineGone(engineId: string): Lease[] {
    const ended = [...this.leases.values()].filter((lease) => lease.engineId === engineId).map((lease) => this.drop(lease));
    this.claims.forget(engineId);
    return ended;
  }

  claimCount(engineId: string): number {
    return this.claims.on(engineId).count;
  }

  holdOn(engineId: string): Hold | null {
    return this.claims.on(engineId).held;
  }

  /** Grows with every change of what `streamsOn` answers. */
  get occupancy(): number {
    return this.claims.occupancy;
  }

  streamsOn(engineId: string): string[] {
    return this.claims.streamsOn(engineId);
  }

  private known(requestId: string): KnownLease | undefined {
    const id = this.byRequest.get(requestId);
    return id === undefined ? undefined : this.leases.get(id);
  }

  /** Leases that are held as a precaution; nothing plays on them. */
  private reserves(): Lease[] {
    return [...this.leases.values()].filter(({ purpose, reported }) => purpose === 'reserve' && !reported);
  }

  /** An engine for a stream that needs it now, from one that may never; null where there is none for it. */
  private takeFromReserve({ purpose, ...wish }: LeaseDemand): Selection | null {
    if (purpose === 'reserve') return null;
    for (const lease of this.reserves()) {
      this.drop(lease);
      const selection = this.select(wish, this.candidates());
      if (selection.chosen) {
        this.options.onRevoke(lease);
        return selection;
      }
      this.keep(lease);
    }
    return null;
  }

  private select(wish: Wish, candidates: readonly Candidate[]): Selection {
    return selectEngine(candidates, wish, this.options.maxStreamsPerEngine);
  }

  private candidates(): Candidate[] {
    return this.options.engines().map((engine) => this.candidate(engine));
  }

  private candidate({ id, lifecycle, health, forwarded, cutOff, lastStreamUsage }: Engine): Candidate {
    const { count, contents, held } = this.claims.on(id);
    return { id, lifecycle, health, forwarded, claims: count, contents, held: cutOff ?? held?.reason ?? null, lastStreamUsage };
  }

  private queue(): Waiting[] {
    return [...this.waiting.values()].sort((a, b) => RANK[a.demand.purpose] - RANK[b.demand.purpose] || a.arrival - b.arrival);
  }

  private grant(place: Waiting, engineId: string, { reason, considered }: Selection): void {
    const { requestId, proxyId, keys, purpose } = place.demand;
    const lease: KnownLease = {
      id: this.options.newId(),
      requestId,
      proxyId,
      engineId,
      keys,
      purpose,
      reason,
      considered,
      waitedMs: this.options.clock.now() - place.since,
      expiresAt: place.lastAsked + KEEP_PLACE_MS,
      delivered: false,
      reported: false,
    };
    this.waiting.delete(requestId);
    this.keep(lease);
    if (place.attended > 0) this.deliver(lease);
    this.options.onGrant(lease);
  }

  private keep(lease: Lease): void {
    this.leases.set(lease.id, lease);
    this.byRequest.set(lease.requestId, lease.id);
    this.claims.addLease(lease);
  }

  private drop(lease: Lease): Lease {
    this.leases.delete(lease.id);
    this.byRequest.delete(lease.requestId);
    this.claims.removeLease(lease);
    return lease;
  }
}
