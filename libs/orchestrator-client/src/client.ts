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
import { CachedEngineList, type EngineList } from './engine-list.js';
import { OrchestratorError, OrchestratorReplyError, OrchestratorTimeoutError, OrchestratorUnreachableError } from './errors.js';
import { toOrchestratorError, type Endpoint } from './failures.js';
import { parseLeaseGranted, parseLeaseWaiting, parseProvisioned, parseReportAnswer } from './replies.js';
import { RetryBudget } from './retry-budget.js';
import { createTransport, type Transport } from './transport.js';

export type { EngineList } from './engine-list.js';
export type { Endpoint } from './failures.js';

/** One call as it ended, for metrics. */
export interface OrchestratorCall {
  endpoint: Endpoint;
  /**
   * `ok`; `waiting` for a lease; `not_modified`, `cached` or `stale` for the engine list; `aborted` by the caller; else the error's code.
   */
  outcome: string;
  durationMs: number;
}

export interface OrchestratorClientOptions {
  /** Where the orchestrator is, such as `http://localhost:8000`; a path is kept in front of every call. */
  url: string;
  apiKey?: string;
  /** Milliseconds for one exchange, retries included. */
  timeoutMs: number;
  /** Milliseconds during which the engine list is not asked for again; 0 asks every time. */
  engineCacheTtlMs: number;
  /** For jitter: 0 up to 1. */
  random?: () => number;
  /** Milliseconds, for durations. */
  now?: () => number;
  /** Told of every call when it ends; callers that share one exchange are one call. Must not throw. */
  onCall?: (call: OrchestratorCall) => void;
}

export type LeaseAnswer = { kind: 'granted'; lease: LeaseGranted } | { kind: 'waiting'; waiting: LeaseWaiting };

/**
 * The orchestrator as a proxy sees it. Every call ends within `timeoutMs`: with what it promises, with an {@link OrchestratorError}, or with
 * the reason of the caller's signal. Calls that may be repeated are, within a budget that all of them share.
 */
export interface OrchestratorClient {
  /**
   * Reserves an engine. `wait_ms` must leave room below `timeoutMs`; asking again with the same `request_id` is the same lease. One that
   * was granted to a caller who had given up lapses by itself.
   * @throws ProvisioningBlockedError when none can be had; CallNotSupportedError when leases are unknown there
   */
  lease(request: LeaseRequest, signal?: AbortSignal): Promise<LeaseAnswer>;
  /** Gives a lease back; one that is unknown has been given back. */
  releaseLease(leaseId: string, signal?: AbortSignal): Promise<void>;
  /** @throws CallNotSupportedError when reports are unknown there */
  report(proxyId: string, report: ProxyReport, signal?: AbortSignal): Promise<ReportAnswer>;
  /** The engines, from memory where that is fresh enough or all there is. One exchange serves all who ask meanwhile. */
  engines(signal?: AbortSignal): Promise<EngineList>;
  /**
   * Starts an engine; never repeated, since every repetition could start another.
   * @throws ProvisioningBlockedError when it is refused
   */
  provisionAcestream(request?: ProvisionAcestreamRequest, signal?: AbortSignal): Promise<ProvisionAcestreamResponse>;
  /** The same event twice is one stream, so it may be repeated. */
  streamStarted(event: StreamStartedEvent, signal?: AbortSignal): Promise<void>;
  streamEnded(event: StreamEndedEvent, signal?: AbortSignal): Promise<void>;
  /** Ends what is under way and lets go of the connections; later calls fail as unreachable. */
  close(): void;
}

/** @throws TypeError when `url` is none */
export function createOrchestratorClient(options: OrchestratorClientOptions): OrchestratorClient {
  return new HttpOrchestratorClient(options);
}

/** What an exchange came to, and the word for it in metrics. */
interface Answer<T> {
  value: T;
  outcome: string;
}

class HttpOrchestratorClient implements OrchestratorClient {
  private readonly transport: Transport;
  private readonly engineList: CachedEngineList;
  private readonly budget = new RetryBudget();
  private readonly timeoutMs: number;
  private readonly now: () => number;
  private readonly onCall: (call: OrchestratorCall) => void;
  private readonly underWay = new Set<AbortController>();
  private engineFlight: Promise<EngineList> | null = null;
  private closed = false;

  constructor(options: OrchestratorClientOptions) {
    const { url, apiKey, timeoutMs, engineCacheTtlMs, random = Math.random } = options;
    this.timeoutMs = timeoutMs;
    this.now = options.now ?? (() => performance.now());
    this.onCall = options.onCall ?? (() => undefined);
    this.transport = createTransport({ url: new URL(url).href, apiKey, timeoutMs, budget: this.budget, random });
    this.engineList = new CachedEngineList(this.transport.http, engineCacheTtlMs);
  }

  lease(request: LeaseRequest, signal?: AbortSignal): Promise<LeaseAnswer> {
    return this.exchange<LeaseAnswer>('lease', signal, async (limit) => {
      const { status, data } = await this.transport.http.post<unknown>('/engines/lease', request, {
        ...this.transport.waits,
        signal: limit,
      });
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

  releaseLease(leaseId: string, signal?: AbortSignal): Promise<void> {
    return this.exchange('release', signal, async (limit) => {
      const validateStatus = (status: number): boolean => (status >= 200 && status < 300) || status === 404;
      await this.transport.http.delete(`/engines/lease/${encodeURIComponent(leaseId)}`, { signal: limit, validateStatus });
      return { value: undefined, outcome: 'ok' };
    });
  }

  report(proxyId: string, report: ProxyReport, signal?: AbortSignal): Promise<ReportAnswer> {
    return this.exchange('report', signal, async (limit) => {
      const path = `/proxies/${encodeURIComponent(proxyId)}/report`;
      const { data } = await this.transport.http.put<unknown>(path, report, { signal: limit });
      return { value: parseReportAnswer(data), outcome: 'ok' };
    });
  }

  async engines(signal?: AbortSignal): Promise<EngineList> {
    signal?.throwIfAborted();
    // Shared, so no single caller's signal may end it.
    this.engineFlight ??= this.exchange('engines', undefined, async (limit) => {
      const { engines, stale, outcome } = await this.engineList.get(limit);
      return { value: { engines, stale }, outcome };
    }).finally(() => (this.engineFlight = null));
    return orAborted(this.engineFlight, signal);
  }

  provisionAcestream(request: ProvisionAcestreamRequest = {}, signal?: AbortSignal): Promise<ProvisionAcestreamResponse> {
    return this.exchange('provision', signal, async (limit) => {
      const { data } = await this.transport.http.post<unknown>('/provision/acestream', request, { ...this.transport.once, signal: limit });
      return { value: parseProvisioned(data), outcome: 'ok' };
    });
  }

  streamStarted(event: StreamStartedEvent, signal?: AbortSignal): Promise<void> {
    return this.send('stream_started', event, signal);
  }

  streamEnded(event: StreamEndedEvent, signal?: AbortSignal): Promise<void> {
    return this.send('stream_ended', event, signal);
  }

  close(): void {
    this.closed = true;
    for (const limit of this.underWay) limit.abort(new OrchestratorUnreachableError('the client is closed'));
    this.transport.destroy();
  }

  private send(
    endpoint: 'stream_started' | 'stream_ended',
    event: StreamStartedEvent | StreamEndedEvent,
    signal?: AbortSignal,
  ): Promise<void> {
    return this.exchange(endpoint, signal, async (limit) => {
      await this.transport.http.post(`/events/${endpoint}`, event, { signal: limit });
      return { value: undefined, outcome: 'ok' };
    });
  }

  /** One exchange under one clock, which retries, waits between them and trickling replies all share. */
  private async exchange<T>(
    endpoint: Endpoint,
    signal: AbortSignal | undefined,
    run: (limit: AbortSignal) => Promise<Answer<T>>,
  ): Promise<T> {
    signal?.throwIfAborted();
    if (this.closed) throw new OrchestratorUnreachableError(`${endpoint}: the client is closed`);
    const started = this.now();
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new OrchestratorTimeoutError(endpoint, this.timeoutMs)), this.timeoutMs);
    const onAbort = (): void => limit.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.underWay.add(limit);
    this.budget.earn();
    let outcome = 'aborted';
    try {
      const answer = await run(limit.signal);
      outcome = answer.outcome;
      return answer.value;
    } catch (error) {
      const reason: unknown = limit.signal.aborted ? limit.signal.reason : toOrchestratorError(endpoint, error, this.timeoutMs);
      if (reason instanceof OrchestratorError) outcome = reason.code;
      throw reason;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.underWay.delete(limit);
      this.onCall({ endpoint, outcome, durationMs: this.now() - started });
    }
  }
}

/** The promise, or the abort of one caller who no longer waits for it. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
