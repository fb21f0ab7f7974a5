import type {
  LeaseGranted,
  LeaseRequest,
  LeaseWaiting,
  ProvisionAcestreamRequest,
  ProvisionAcestreamResponse,
  ProxyReport,
  ReportAnswer,
  StreamEndedEvent,
  StreamStartedEvent,
} from '@acexy/contracts';
import { type Clock, SystemClock, orAborted, withDeadline } from '@acexy/service-kit/primitives';
import { setMaxListeners } from 'node:events';
import { CachedEngineList, type EngineList } from './engine-list.js';
import {
  type Endpoint,
  OrchestratorError,
  OrchestratorReplyError,
  OrchestratorTimeoutError,
  OrchestratorUnreachableError,
} from './errors.js';
import { toOrchestratorError } from './failures.js';
import { parseLeaseGranted, parseLeaseWaiting, parseProvisioned, parseReportAnswer } from './replies.js';
import { RetryBudget } from './retry-budget.js';
import { createTransport, type Transport } from './transport.js';

export type { EngineList } from './engine-list.js';

/** A finished call, for metrics. */
export interface OrchestratorCall {
  endpoint: Endpoint;
  /** `ok`; `waiting` (lease); `not_modified`, `cached` or `stale` (engine list); `aborted` by the caller; or the code of the error. */
  outcome: string;
  durationMs: number;
}

export interface OrchestratorClientOptions {
  /** Base URL of the orchestrator, such as `http://localhost:8000`. It may contain a path. */
  url: string;
  apiKey?: string;
  /** Milliseconds for one call, retries included. */
  timeoutMs: number;
  /** Milliseconds for which the engine list is cached; 0 disables the cache. */
  engineCacheTtlMs: number;
  /** For jitter: 0 up to 1. */
  random?: () => number;
  clock?: Clock;
  /** Called when a call ends. Callers that share one request are one call. Must not throw. */
  onCall?: (call: OrchestratorCall) => void;
}

export type LeaseAnswer = { kind: 'granted'; lease: LeaseGranted } | { kind: 'waiting'; waiting: LeaseWaiting };

/** The client as its users see it, for test doubles. */
export type OrchestratorClient = Pick<HttpOrchestratorClient, keyof HttpOrchestratorClient>;

/** Result of a call, and its outcome in metrics. */
interface Answer<T> {
  value: T;
  outcome: string;
}

/**
 * Client of the orchestrator's API. Every call has a time limit of `timeoutMs`. It rejects with an {@link OrchestratorError}, or with the reason
 * of the caller's signal when that aborts. Calls that may be repeated are retried, within a budget that all of them share.
 */
export class HttpOrchestratorClient {
  private readonly transport: Transport;
  private readonly engineList: CachedEngineList;
  private readonly budget = new RetryBudget();
  private readonly timeoutMs: number;
  private readonly clock: Clock;
  private readonly onCall: (call: OrchestratorCall) => void;
  private readonly closed = new AbortController();
  private engineRequest: Promise<EngineList> | null = null;

  /** @throws TypeError when `url` is invalid */
  constructor(options: OrchestratorClientOptions) {
    const { url, apiKey, timeoutMs, engineCacheTtlMs, random = Math.random } = options;
    this.timeoutMs = timeoutMs;
    this.clock = options.clock ?? new SystemClock();
    this.onCall = options.onCall ?? (() => undefined);
    this.transport = createTransport({ url: new URL(url).href, apiKey, timeoutMs, budget: this.budget, random });
    this.engineList = new CachedEngineList(this.transport.http, engineCacheTtlMs);
    setMaxListeners(0, this.closed.signal); // one per call in progress
  }

  /**
   * Reserves an engine. `wait_ms` must be well below `timeoutMs`. A repeated request with the same `request_id` gets the same lease. A lease that
   * is granted after its caller has given up expires by itself.
   * @throws ProvisioningBlockedError when no engine is available; CallNotSupportedError when the orchestrator has no lease API
   */
  lease(request: LeaseRequest, signal?: AbortSignal): Promise<LeaseAnswer> {
    return this.call<LeaseAnswer>('lease', signal, async (limit) => {
      const config = { ...this.transport.waits, signal: limit };
      const { status, data } = await this.transport.http.post<unknown>('/engines/lease', request, config);
      switch (status) {
        case 200:
          return { value: { kind: 'granted', lease: parseLeaseGranted(data) }, outcome: 'ok' };
        case 202:
          return { value: { kind: 'waiting', waiting: parseLeaseWaiting(data) }, outcome: 'waiting' };
        default:
          throw new OrchestratorReplyError('lease', status, 'neither granted nor waiting');
      }
    });
  }

  /** Releases a lease. An unknown lease counts as released. */
  releaseLease(leaseId: string, signal?: AbortSignal): Promise<void> {
    return this.call('release', signal, async (limit) => {
      const validateStatus = (status: number): boolean => (status >= 200 && status < 300) || status === 404;
      await this.transport.http.delete(`/engines/lease/${encodeURIComponent(leaseId)}`, { signal: limit, validateStatus });
      return { value: undefined, outcome: 'ok' };
    });
  }

  /** @throws CallNotSupportedError when the orchestrator does not take reports */
  report(proxyId: string, report: ProxyReport, signal?: AbortSignal): Promise<ReportAnswer> {
    return this.call('report', signal, async (limit) => {
      const path = `/proxies/${encodeURIComponent(proxyId)}/report`;
      const { data } = await this.transport.http.put<unknown>(path, report, { signal: limit });
      return { value: parseReportAnswer(data), outcome: 'ok' };
    });
  }

  /** Lists the engines, from the cache when it is fresh or the orchestrator is unreachable. Simultaneous callers share one request. */
  async engines(signal?: AbortSignal): Promise<EngineList> {
    signal?.throwIfAborted();
    // No caller's signal may abort the shared request.
    this.engineRequest ??= this.call('engines', undefined, async (limit) => {
      const { engines, stale, outcome } = await this.engineList.get(limit);
      return { value: { engines, stale }, outcome };
    }).finally(() => (this.engineRequest = null));
    return signal ? orAborted(this.engineRequest, signal) : this.engineRequest;
  }

  /**
   * Starts an engine. Never retried, because every attempt could start another engine.
   * @throws ProvisioningBlockedError when the orchestrator refuses
   */
  provisionAcestream(request: ProvisionAcestreamRequest = {}, signal?: AbortSignal): Promise<ProvisionAcestreamResponse> {
    return this.call('provision', signal, async (limit) => {
      const { data } = await this.transport.http.post<unknown>('/provision/acestream', request, { ...this.transport.once, signal: limit });
      return { value: parseProvisioned(data), outcome: 'ok' };
    });
  }

  /** May be repeated: the orchestrator counts equal events as one stream. */
  streamStarted(event: StreamStartedEvent, signal?: AbortSignal): Promise<void> {
    return this.send('stream_started', event, signal);
  }

  streamEnded(event: StreamEndedEvent, signal?: AbortSignal): Promise<void> {
    return this.send('stream_ended', event, signal);
  }

  /** Aborts the calls in progress and closes the connections. Later calls reject with OrchestratorUnreachableError. */
  close(): void {
    this.closed.abort(new OrchestratorUnreachableError('the client is closed'));
    this.transport.destroy();
  }

  private send(
    endpoint: 'stream_started' | 'stream_ended',
    event: StreamStartedEvent | StreamEndedEvent,
    signal?: AbortSignal,
  ): Promise<void> {
    return this.call(endpoint, signal, async (limit) => {
      await this.transport.http.post(`/events/${endpoint}`, event, { signal: limit });
      return { value: undefined, outcome: 'ok' };
    });
  }

  /** One call with one time limit, which includes retries, the delays between them and slow replies. */
  private async call<T>(endpoint: Endpoint, signal: AbortSignal | undefined, run: (limit: AbortSignal) => Promise<Answer<T>>): Promise<T> {
    const signals = [signal, this.closed.signal];
    for (const each of signals) each?.throwIfAborted();
    const started = this.clock.now();
    const onLimit = (): Error => new OrchestratorTimeoutError(endpoint, this.timeoutMs);
    this.budget.earn();
    let outcome = 'aborted';
    try {
      const answer = await withDeadline(this.clock, this.timeoutMs, onLimit, signals, (limit) =>
        run(limit).catch((error: unknown) => {
          throw toOrchestratorError(endpoint, error, this.timeoutMs);
        }),
      );
      outcome = answer.outcome;
      return answer.value;
    } catch (error) {
      if (error instanceof OrchestratorError) outcome = error.code;
      throw error;
    } finally {
      this.onCall({ endpoint, outcome, durationMs: this.clock.now() - started });
    }
  }
}
