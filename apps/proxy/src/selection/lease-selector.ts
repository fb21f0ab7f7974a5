/** Engines from our orchestrator: it reserves one for the stream, and starts one when none is free. */
import { randomUUID } from 'node:crypto';
import type { EngineState, LeaseGranted } from '@acexy/contracts';
import { type LeaseAnswer, OrchestratorError, ProvisioningBlockedError } from '@acexy/orchestrator-client';
import { orAborted, sleep } from '@acexy/service-kit/primitives';
import { EngineSelector, type LeasedEngine, NoEngineError, type SelectRequest } from './engine-selector.js';
import type { OrchestratorContext } from './injection-tokens.js';
import type { Reservations } from './reservations.js';

/** The part of the request timeout in which the orchestrator may hold a request; the rest is for the network. */
const WAIT_PART = 0.75;
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2000;
/** The first request waits only briefly: if no engine is free, another session of this proxy may release one. */
const FIRST_WAIT_MS = 100;

const NOT_IN_TIME = 'no engine became free in time';

/** A lease request in the orchestrator's queue. */
interface QueuedRequest {
  requestId: string;
  /** It was sent, and not refused. */
  queued: boolean;
}

export class LeaseSelector extends EngineSelector {
  /**
   * `reservations` and the engines of `onGranted` are used for selection while the orchestrator is unreachable.
   * @param timeoutMs timeout of one request
   */
  constructor(
    private readonly orchestrator: OrchestratorContext,
    private readonly reservations: Reservations,
    private readonly timeoutMs: number,
    private readonly onGranted: (engine: EngineState) => void,
  ) {
    super();
  }

  /** @throws also OrchestratorError when the orchestrator did not answer */
  async select(request: SelectRequest): Promise<LeasedEngine> {
    // The same id for the whole wait keeps the place in the queue and never reserves a second engine. With the id of a standby engine the answer shows
    // whether its lease is still valid.
    const own: QueuedRequest = { requestId: request.standby?.requestId ?? randomUUID(), queued: false };
    try {
      return await this.wait(own, request);
    } catch (error) {
      // Leaves the queue. A standby engine whose lease could not be checked is used all the same.
      const keepsStandby = request.standby && error instanceof OrchestratorError;
      if (own.queued && !keepsStandby) void this.release(own.requestId);
      throw error;
    }
  }

  private async wait(own: QueuedRequest, request: SelectRequest): Promise<LeasedEngine> {
    const { clock, log } = this.orchestrator;
    let startFailure: string | null = null;
    for (let first = true; ; first = false) {
      const left = request.deadline - clock.now();
      if (left <= 0) throw new NoEngineError(NOT_IN_TIME + (startFailure === null ? '' : `. The last start failed: ${startFailure}`), 5);
      let pauseMs = MIN_PAUSE_MS;
      try {
        own.queued = true;
        const answer = await this.ask(own.requestId, request, Math.min(first ? FIRST_WAIT_MS : this.timeoutMs * WAIT_PART, left));
        if (answer.kind === 'granted') return this.toLeased(answer.lease, request, own.requestId);
        startFailure = answer.waiting.last_start_failure;
        log.debug('waiting for engine', { stream_id: request.streamId, ...answer.waiting });
        // When an engine is being released, the next request should wait in the queue before it is free.
        if (!request.onNoneFree() && !first) pauseMs = Math.min(MAX_PAUSE_MS, answer.waiting.retry_after_ms);
      } catch (error) {
        if (!(error instanceof ProvisioningBlockedError)) throw error;
        own.queued = false;
        // A player that changes channels may request the new one just before it leaves the old one, so the first refusal is not final. It is when the
        // content has failed on another engine: a quick answer helps the viewer more.
        const isSecondTry = request.purpose === 'start' && request.exclude.length > 0;
        if (!request.onNoneFree() && (!first || isSecondTry)) throw NoEngineError.blocked(error);
      }
      await sleep(clock, Math.min(Math.max(MIN_PAUSE_MS, pauseMs), Math.max(1, request.deadline - clock.now())), request.signal);
    }
  }

  /** Rejects at once with the reason of the signal; a lease that is granted after that is released. */
  private ask(requestId: string, { signal, content, exclude, purpose }: SelectRequest, waitMs: number): Promise<LeaseAnswer> {
    const { client, identity, log } = this.orchestrator;
    signal.throwIfAborted();
    const answer = client.lease({
      request_id: requestId,
      proxy_id: identity.proxyId,
      boot_id: identity.bootId,
      key_type: content.keyType,
      key: content.key,
      infohash: content.infohash,
      exclude: [...exclude],
      purpose,
      wait_ms: Math.round(waitMs),
      // A verdict for each of a hundred engines is most of the answer, and nobody here reads it.
      explain: false,
    });
    return orAborted(answer, signal).catch((error: unknown) => {
      if (signal.aborted)
        answer.then(
          (late) => (late.kind === 'granted' ? this.release(late.lease.lease_id) : undefined),
          (failure: unknown) => log.debug('cancelled lease request failed', { error: failure }),
        );
      throw error;
    });
  }

  private toLeased({ lease_id: leaseId, engine, reason }: LeaseGranted, request: SelectRequest, requestId: string): LeasedEngine {
    const { streamId, content, standby } = request;
    if (standby?.leaseId === leaseId) return standby;
    const { container_id: id, host, port } = engine;
    this.onGranted(engine);
    const unreserve = this.reservations.reserve(id, streamId, content);
    const release = (): Promise<void> => {
      unreserve();
      return this.release(leaseId);
    };
    return { engineId: id, containerId: id, address: { host, port }, leaseId, requestId, reason, release };
  }

  /** @param id of the lease or of its request */
  private async release(id: string): Promise<void> {
    try {
      await this.orchestrator.client.releaseLease(id);
    } catch (error) {
      // It expires: no report names it.
      this.orchestrator.log.debug('lease release failed', { id, error });
    }
  }
}
