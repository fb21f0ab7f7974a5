import type { EngineState, LeaseGranted, LeaseRequest, LeaseWaiting, ProvisioningBlocked } from '@acexy/contracts';
import { Log } from '@acexy/service-kit';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Clock } from '@acexy/service-kit/primitives';
import { OrchestratorSettings } from '../settings.js';
import { type Content, ContentKeys } from './content-keys.js';
import type { Hold, Occupant } from './engine-claims.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { isoTime, toEngineState } from '../engines/engine-state.js';
import { type Lease, LeaseBook, LEASE_MS } from './lease-book.js';
import { type LeaseEnd, LeaseMetrics } from './lease-metrics.js';
import type { Selection } from './selection.policy.js';
import { NoEngineError, ProvisioningOutlook } from './provisioning-outlook.js';

/** How soon a caller may ask again who was told to wait. */
const ASK_AGAIN_MS = 250;
/** How often leases and places are looked at for having run out. */
const EXPIRY_CHECK_MS = 500;
/** A lease call is answered well before the limit of any call. */
const SHARE_OF_REQUEST_LIMIT = 0.8;

/** A stream as its reporter tells it, for the books of who uses which engine. */
export interface PlayingStream {
  streamId: string;
  engineId: string;
  content: Content;
  leaseId: string | null;
}

/**
 * Hands out engines. Decisions are the lease book's; here are the callers who wait, the clock that lets leases lapse, and the news to
 * those who depend on it.
 */
@Injectable()
export class LeaseService implements OnModuleInit, OnModuleDestroy {
  readonly contents = new ContentKeys();
  private readonly book: LeaseBook;
  private readonly metrics = new LeaseMetrics();
  private readonly waiters = new Map<string, Set<() => void>>();
  private readonly demandListeners = new Set<() => void>();
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;
  private unsubscribe: (() => void) | undefined;
  private closing = false;
  private inOneStep = false;
  private unsettled = false;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly supply: ProvisioningOutlook,
    private readonly clock: Clock,
    private readonly settings: OrchestratorSettings,
    log: Log,
  ) {
    this.log = log.child('leases');
    this.book = new LeaseBook({
      clock,
      engines: () => registry.all(),
      maxStreamsPerEngine: settings.maxStreamsPerEngine,
      newId: randomUUID,
      onGrant: (lease) => {
        this.log.info('engine leased', describeLease(lease));
        this.metrics.granted(lease);
        this.track(lease.engineId);
        this.wake(lease.requestId);
      },
      onRevoke: (lease) => this.log.info('lease in reserve taken back, its engine is needed now', describeLease(lease)),
    });
  }

  onModuleInit(): void {
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type === 'gone') {
        const ended = this.book.engineGone(engine.id);
        this.metrics.ended('engine_gone', ended.length);
        for (const lease of ended) this.log.info('lease ended, its engine is gone', describeLease(lease));
      }
      this.settle();
    });
    this.timer = setInterval(() => this.expire(), EXPIRY_CHECK_MS);
  }

  onModuleDestroy(): void {
    this.closing = true;
    this.unsubscribe?.();
    clearInterval(this.timer);
    for (const requestId of [...this.waiters.keys()]) this.wake(requestId);
  }

  /** Calls back when more or fewer callers wait or an engine's use changed, until the returned function is called. */
  onDemand(listener: () => void): () => void {
    this.demandListeners.add(listener);
    return () => this.demandListeners.delete(listener);
  }

  /** How many callers wait for an engine. */
  get waitingCount(): number {
    return this.book.waitingCount;
  }

  get leaseCount(): number {
    return this.book.leaseCount;
  }

  /**
   * An engine for one stream, or the caller's place in the queue after waiting `wait_ms` for one; `hangUp` says that the caller is gone.
   * @throws NoEngineError where waiting on is no use
   */
  async ask(request: LeaseRequest, hangUp: AbortSignal): Promise<LeaseGranted | LeaseWaiting> {
    if (this.closing) throw this.refusal(SHUTTING_DOWN);
    const { request_id: requestId, proxy_id: proxyId, purpose } = request;
    const keys = this.contents.of({ keyType: request.key_type, key: request.key, infohash: request.infohash });
    const asked = this.book.ask({ requestId, proxyId, purpose, keys, exclude: new Set(request.exclude) });
    this.announceDemand();
    if (asked.kind === 'granted') return this.granted(asked.lease);
    if (asked.kind === 'full') throw this.refusal(TOO_MANY_WAIT);
    const waitMs = Math.min(request.wait_ms, this.settings.apiRequestTimeoutMs * SHARE_OF_REQUEST_LIMIT);
    const askedAt = this.clock.now();
    if (waitMs > 0) await this.wait(requestId, waitMs, hangUp);
    if (this.closing) throw this.refusal(SHUTTING_DOWN);
    const lease = this.book.leaseOfRequest(requestId);
    // What was granted to a caller who is gone stays as it is: it may ask again.
    if (lease) return this.granted(hangUp.aborted ? lease : this.book.deliver(lease));
    return this.stillWaiting(requestId, this.clock.now() - askedAt);
  }

  /** What a request would get and why, without reserving anything. */
  preview(content: Content, exclude: readonly string[]): Selection {
    return this.book.preview({ keys: this.contents.of(content), exclude: new Set(exclude) });
  }

  /**
   * Gives a lease back, or a place in the queue: whoever waits no more holds up nobody.
   * @param id of the lease or of the request
   * @returns false for one that is not known (any more)
   */
  release(id: string): boolean {
    const lease = this.book.release(id);
    if (lease) {
      this.log.info('lease given back', describeLease(lease));
      this.freed(lease, 'given_back');
      return true;
    }
    if (!this.book.withdraw(id)) return false;
    this.wake(id);
    this.announceDemand();
    return true;
  }

  /** Many changes as one: nobody is served before the last of them, for what one frees may be what the next one takes. */
  oneStep(changes: () => void): void {
    this.inOneStep = true;
    try {
      changes();
    } finally {
      this.inOneStep = false;
      if (this.unsettled) this.settle();
    }
  }

  /** A proxy's report: the leases it names stay, those it named before and dropped end. */
  reported(proxyId: string, leaseIds: ReadonlySet<string>): void {
    for (const lease of this.book.reported(proxyId, leaseIds)) this.freed(lease, 'report_dropped');
  }

  /** The proxy is silent or was started anew: nobody will use its leases. */
  releaseOf(proxyId: string): void {
    for (const lease of this.book.releaseOf(proxyId)) {
      this.log.info('lease ended with its proxy', describeLease(lease));
      this.freed(lease, 'proxy_gone');
    }
  }

  occupy({ streamId, engineId, content, leaseId }: PlayingStream): void {
    const occupant: Occupant = { streamId, engineId, leaseId, keys: this.contents.of(content) };
    const before = this.book.engineOf(streamId);
    if (!this.book.occupy(occupant)) return;
    if (before !== null && before !== engineId) this.track(before);
    this.track(engineId);
    this.settle();
  }

  vacate(streamId: string): void {
    const engineId = this.book.vacate(streamId);
    if (engineId === null) return;
    this.track(engineId);
    this.settle();
  }

  /** Keeps an engine back from leases and removal until `lift` by the same owner. */
  hold(engineId: string, owner: string, hold: Hold): void {
    this.book.hold(engineId, owner, hold);
  }

  lift(engineId: string, owner: string): void {
    if (this.book.lift(engineId, owner)) this.settle();
  }

  /** Grows with every change of what `streamsOn` answers. */
  get occupancy(): number {
    return this.book.occupancy;
  }

  streamsOn(engineId: string): string[] {
    return this.book.streamsOn(engineId);
  }

  claimCount(engineId: string): number {
    return this.book.claimCount(engineId);
  }

  holdOn(engineId: string): Hold | null {
    return this.book.holdOn(engineId);
  }

  private refusal(detail: ProvisioningBlocked): NoEngineError {
    this.metrics.refused(detail.code);
    return new NoEngineError(detail);
  }

  private granted(lease: Lease): LeaseGranted {
    const remainingMs = Number.isFinite(lease.expiresAt) ? lease.expiresAt - this.clock.now() : LEASE_MS;
    return {
      lease_id: lease.id,
      engine: this.stateOf(lease.engineId),
      expires_at: isoTime(this.clock.wallTime() + remainingMs),
      reason: lease.reason,
      considered: [...lease.considered],
    };
  }

  /** Who waited here may ask again at once: an engine that gets ready in a pause would be handed out after it only. */
  private stillWaiting(requestId: string, waitedMs: number): LeaseWaiting {
    const position = this.book.position(requestId);
    const coming = this.supply.pending + this.registry.all().filter((engine) => engine.lifecycle === 'starting').length;
    const { refusal } = this.supply;
    if (refusal && position > coming) {
      this.book.withdraw(requestId);
      this.log.warn('no engine for a lease', { request_id: requestId, code: refusal.code, reason: refusal.message });
      throw this.refusal(refusal);
    }
    return { state: 'waiting', retry_after_ms: Math.max(0, Math.round(ASK_AGAIN_MS - waitedMs)), position, provisioning: coming };
  }

  private async wait(requestId: string, waitMs: number, hangUp: AbortSignal): Promise<void> {
    this.book.attend(requestId);
    try {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(limit);
          hangUp.removeEventListener('abort', end);
          const others = this.waiters.get(requestId);
          others?.delete(end);
          if (others?.size === 0) this.waiters.delete(requestId);
          resolve();
        };
        const limit = setTimeout(end, waitMs);
        const waiters = this.waiters.get(requestId) ?? new Set();
        this.waiters.set(requestId, waiters.add(end));
        hangUp.addEventListener('abort', end, { once: true });
        if (hangUp.aborted) end();
      });
    } finally {
      this.book.leave(requestId);
    }
  }

  private settle(): void {
    this.unsettled = this.inOneStep;
    if (this.inOneStep) return;
    this.book.settle();
    this.announceDemand();
  }

  private expire(): void {
    const { lapsed, abandoned } = this.book.expire();
    for (const lease of lapsed) {
      this.log.warn('lease lapsed, no report ever named it', describeLease(lease));
      this.freed(lease, 'lapsed');
    }
    for (const requestId of abandoned) this.log.info('nobody waits for this lease any more', { request_id: requestId });
    if (abandoned.length > 0) this.announceDemand();
  }

  private freed(lease: Lease, cause: LeaseEnd): void {
    this.metrics.ended(cause, 1);
    this.track(lease.engineId);
    this.settle();
  }

  /** Keeps the registry's word on whether an engine is in use. */
  private track(engineId: string): void {
    const busy = this.book.claimCount(engineId) > 0;
    const engine = this.registry.get(engineId);
    if (engine && busy !== (engine.idleSince === null)) this.registry.used(engineId, busy);
  }

  private wake(requestId: string): void {
    for (const end of [...(this.waiters.get(requestId) ?? [])]) end();
  }

  private announceDemand(): void {
    for (const listener of this.demandListeners) listener();
  }

  private stateOf(engineId: string): EngineState {
    const engine = this.registry.get(engineId);
    if (!engine) throw new TypeError(`lease on engine ${engineId}, which is not known`);
    return toEngineState(engine, this.book.streamsOn(engineId));
  }
}

const TOO_MANY_WAIT = {
  error: 'provisioning_blocked',
  code: 'max_capacity',
  message: 'too many callers wait for an engine already',
  recovery_eta_seconds: 5,
  can_retry: false,
  should_wait: true,
} as const;

const SHUTTING_DOWN = {
  error: 'provisioning_blocked',
  code: 'general_error',
  message: 'the orchestrator is shutting down',
  recovery_eta_seconds: 5,
  can_retry: true,
  should_wait: true,
} as const;

function describeLease(lease: Lease): Record<string, unknown> {
  return {
    lease_id: lease.id,
    request_id: lease.requestId,
    proxy_id: lease.proxyId,
    engine_id: lease.engineId,
    purpose: lease.purpose,
    reason: lease.reason,
  };
}
