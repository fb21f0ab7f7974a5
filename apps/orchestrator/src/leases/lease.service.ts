import type { BlockedCode, LeaseGranted, LeaseRequest, LeaseWaiting, ProvisioningBlocked } from '@acexy/contracts';
import { Log } from '@acexy/service-kit';
import { Clock, ListenerSet } from '@acexy/service-kit/primitives';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { EngineRegistry } from '../engines/engine-registry.js';
import { isoTime, toEngineState } from '../engines/engine-state.js';
import { PoolSettings } from '../engines/pool-settings.js';
import { HttpSettings } from '../http/http-settings.js';
import { type ContentIdentity, ContentKeys } from './content-keys.js';
import { EngineClaimBook } from './engine-claims.js';
import { type Lease, LeaseBook, LEASE_MS } from './lease-book.js';
import { type LeaseEnd, LeaseMetrics } from './lease-metrics.js';
import { OpenCalls } from './open-calls.js';
import { NoEngineError, ProvisioningOutlook } from './provisioning-outlook.js';
import type { Selection } from './selection.policy.js';

/** A caller that got the answer "waiting" may ask again after this. */
const ASK_AGAIN_MS = 250;
const EXPIRY_CHECK_MS = 500;
/** A lease call is answered before API_REQUEST_TIMEOUT_S ends it. */
const SHARE_OF_REQUEST_LIMIT = 0.8;

/**
 * Leases engines. The lease book decides; this service keeps the calls that wait, expires leases, and tells the registry which engines are in use.
 */
@Injectable()
export class LeaseService implements OnModuleInit, OnModuleDestroy {
  private readonly book: LeaseBook;
  private readonly metrics: LeaseMetrics;
  private readonly openCalls: OpenCalls;
  private readonly demandChanges = new ListenerSet();
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;
  private unsubscribe: (() => void) | undefined;
  private closing = false;
  private inBatch = false;
  private settleAfterBatch = false;

  constructor(
    private readonly registry: EngineRegistry,
    private readonly claims: EngineClaimBook,
    private readonly contents: ContentKeys,
    private readonly outlook: ProvisioningOutlook,
    private readonly clock: Clock,
    private readonly http: HttpSettings,
    private readonly pool: PoolSettings,
    log: Log,
  ) {
    this.log = log.child('leases');
    this.openCalls = new OpenCalls(clock);
    this.book = new LeaseBook({
      clock,
      claims,
      engines: () => registry.all(),
      maxStreamsPerEngine: pool.maxStreamsPerEngine,
      newId: randomUUID,
      onGrant: (lease) => {
        this.log.info('engine leased', describeLease(lease));
        this.metrics.granted(lease);
        this.updateUsage(lease.engineId);
        this.openCalls.wake(lease.requestId);
      },
      onRevoke: (lease) => this.log.info('standby lease revoked', describeLease(lease)),
    });
    this.metrics = new LeaseMetrics(registry, claims, this);
    claims.onChange((engineIds) => {
      for (const engineId of engineIds) this.updateUsage(engineId);
      this.settle();
    });
  }

  onModuleInit(): void {
    this.unsubscribe = this.registry.onChange(({ type, engine }) => {
      if (type === 'gone') {
        const ended = this.book.engineGone(engine.id);
        this.metrics.ended.inc({ cause: 'engine_gone' }, ended.length);
        for (const lease of ended) this.log.info('lease ended, engine gone', describeLease(lease));
      }
      this.settle();
    });
    this.timer = setInterval(() => this.expire(), EXPIRY_CHECK_MS);
  }

  onModuleDestroy(): void {
    this.closing = true;
    this.unsubscribe?.();
    clearInterval(this.timer);
    this.openCalls.wakeAll();
  }

  /** Calls back when the number of waiting requests or the use of an engine may have changed. @returns unsubscribes */
  onDemand(listener: () => void): () => void {
    return this.demandChanges.subscribe(listener);
  }

  /** Lease requests that wait for an engine. */
  get waitingCount(): number {
    return this.book.waitingCount;
  }

  /** Those of them whose viewers wait. */
  get viewersWaiting(): number {
    return this.book.viewersWaiting;
  }

  get leaseCount(): number {
    return this.book.leaseCount;
  }

  /**
   * Leases an engine for one stream. If none is free, waits up to `wait_ms` and then returns the place in the queue.
   * @param hangUp aborts when the caller disconnects
   * @throws NoEngineError if waiting longer is useless
   */
  async ask(request: LeaseRequest, hangUp: AbortSignal): Promise<LeaseGranted | LeaseWaiting> {
    if (this.closing) throw this.refusal(SHUTTING_DOWN);
    const { request_id: requestId, proxy_id: proxyId, purpose } = request;
    const keys = this.contents.of({ keyType: request.key_type, key: request.key, infohash: request.infohash });
    const outcome = this.book.ask({ requestId, proxyId, purpose, keys, exclude: new Set(request.exclude) });
    this.demandChanges.emit();
    if (outcome.kind === 'granted') return this.granted(outcome.lease, request);
    if (outcome.kind === 'full') throw this.refusal(QUEUE_FULL);
    const waitMs = Math.min(request.wait_ms, this.http.apiRequestTimeoutMs * SHARE_OF_REQUEST_LIMIT);
    const askedAt = this.clock.now();
    if (waitMs > 0) await this.wait(requestId, waitMs, hangUp);
    if (this.closing) throw this.refusal(SHUTTING_DOWN);
    const lease = this.book.leaseOfRequest(requestId);
    // The lease of a caller that disconnected stays undelivered: the caller may ask again.
    if (lease) return this.granted(hangUp.aborted ? lease : this.book.deliver(lease), request);
    return this.stillWaiting(requestId, this.clock.now() - askedAt);
  }

  /** The engine that a request would get now, and why; nothing is reserved. */
  preview(content: ContentIdentity, exclude: readonly string[]): Selection {
    return this.book.preview({ keys: this.contents.of(content), exclude: new Set(exclude) });
  }

  /**
   * Ends a lease, or removes a request from the queue.
   * @param id of the lease or of the request
   * @returns false if it is unknown
   */
  release(id: string): boolean {
    const lease = this.book.release(id);
    if (lease) {
      this.log.info('lease released', describeLease(lease));
      this.ended(lease, 'released');
      return true;
    }
    if (!this.book.withdraw(id)) return false;
    this.openCalls.wake(id);
    this.demandChanges.emit();
    return true;
  }

  /** Applies several changes before the queue is served: an engine that one change frees may be used by the next one. */
  batch(changes: () => void): void {
    this.inBatch = true;
    try {
      changes();
    } finally {
      this.inBatch = false;
      if (this.settleAfterBatch) this.settle();
    }
  }

  /** A report of a proxy renews the leases it names and ends those that an earlier report named. */
  renew(proxyId: string, leaseIds: ReadonlySet<string>): void {
    for (const lease of this.book.renew(proxyId, leaseIds)) this.ended(lease, 'report_dropped');
  }

  /** The proxy is silent or restarted and will not use its leases. */
  releaseOf(proxyId: string): void {
    for (const lease of this.book.releaseOf(proxyId)) {
      this.log.info('lease ended, proxy gone', describeLease(lease));
      this.ended(lease, 'proxy_gone');
    }
  }

  private refusal(detail: ProvisioningBlocked): NoEngineError {
    this.metrics.refused.inc({ code: detail.code });
    return new NoEngineError(detail);
  }

  private granted(lease: Lease, { explain = true }: LeaseRequest): LeaseGranted {
    const engine = this.registry.get(lease.engineId);
    if (!engine) throw new TypeError(`lease ${lease.id} is on engine ${lease.engineId}, which is unknown`);
    const remainingMs = Number.isFinite(lease.expiresAt) ? lease.expiresAt - this.clock.now() : LEASE_MS;
    return {
      lease_id: lease.id,
      engine: toEngineState(engine),
      expires_at: isoTime(this.clock.wallTime() + remainingMs),
      reason: lease.reason,
      considered: explain ? [...lease.considered] : [],
    };
  }

  private stillWaiting(requestId: string, waitedMs: number): LeaseWaiting {
    const position = this.book.position(requestId);
    const coming = this.outlook.pending + this.registry.all().filter((engine) => engine.lifecycle === 'starting').length;
    const { refusal } = this.outlook;
    if (refusal && position > coming && !this.book.mayWaitForRelease(requestId, this.pool.fullPoolWaitMs)) {
      this.book.withdraw(requestId);
      this.log.warn('lease request refused', { request_id: requestId, code: refusal.code, error: refusal.message });
      throw this.refusal(refusal);
    }
    // A caller that waited here may ask again at once: during a pause it would miss an engine that becomes ready.
    const retryAfterMs = Math.max(0, Math.round(ASK_AGAIN_MS - waitedMs));
    return { state: 'waiting', retry_after_ms: retryAfterMs, position, provisioning: coming, last_start_failure: this.outlook.lastFailure };
  }

  private async wait(requestId: string, waitMs: number, hangUp: AbortSignal): Promise<void> {
    this.book.callOpened(requestId);
    try {
      await this.openCalls.wait(requestId, waitMs, hangUp);
    } finally {
      this.book.callClosed(requestId);
    }
  }

  private settle(): void {
    this.settleAfterBatch = this.inBatch;
    if (this.inBatch) return;
    this.book.settle();
    this.demandChanges.emit();
  }

  private expire(): void {
    const { expired, abandoned } = this.book.expire();
    for (const lease of expired) {
      this.log.warn('lease expired without a report', describeLease(lease));
      this.ended(lease, 'expired');
    }
    for (const requestId of abandoned) this.log.info('lease request abandoned', { request_id: requestId });
    if (abandoned.length > 0) this.demandChanges.emit();
  }

  private ended(lease: Lease, cause: LeaseEnd): void {
    this.metrics.ended.inc({ cause });
    this.updateUsage(lease.engineId);
    this.settle();
  }

  private updateUsage(engineId: string): void {
    this.registry.setUsage(engineId, this.claims.streamsOn(engineId), this.claims.isInUse(engineId));
  }
}

const QUEUE_FULL = blocked('max_capacity', 'too many callers wait for an engine already', false);
const SHUTTING_DOWN = blocked('general_error', 'the orchestrator is shutting down', true);

function blocked(code: BlockedCode, message: string, canRetry: boolean): ProvisioningBlocked {
  return { error: 'provisioning_blocked', code, message, recovery_eta_seconds: 5, can_retry: canRetry, should_wait: true };
}

function describeLease({ id, requestId, proxyId, engineId, purpose, reason }: Lease): Record<string, unknown> {
  return { lease_id: id, request_id: requestId, proxy_id: proxyId, engine_id: engineId, purpose, reason };
}
