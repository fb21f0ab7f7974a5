/** Engines from our own orchestrator: it picks one and reserves it for the stream, and starts one where none is free. */
import { randomUUID } from 'node:crypto';
import { type LeaseAnswer, type OrchestratorClient, OrchestratorError, ProvisioningBlockedError } from '@acexy/orchestrator-client';
import type { EngineState, LeaseGranted } from '@acexy/contracts';
import type { Log } from '@acexy/service-kit';
import { type Clock, sleep } from '@acexy/service-kit/primitives';
import type { ProxyIdentity } from './proxy-identity.js';
import { type LeasedEngine, EngineSelector, NoEngineError, type SelectRequest } from './engine-selector.js';
import { noEngineBecause } from './refusal.js';
import type { Reservations } from './reservations.js';

/** Of the exchange's limit, what is kept for the way there and back. */
const MARGIN = 0.25;
const LEAST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;
/** The first question waits no longer than the orchestrator needs to say that nothing is free: then one of our own may be given up. */
const FIRST_WAIT_MS = 100;

export interface LeaseSelectorOptions {
  client: OrchestratorClient;
  identity: ProxyIdentity;
  /** Told what is used, for when the orchestrator is away and we choose ourselves. */
  reservations: Reservations;
  /** Told of every engine that is granted, for the same. */
  onGranted(engine: EngineState): void;
  /** Limit of one exchange, in ms. */
  timeoutMs: number;
  clock: Clock;
  log: Log;
}

/** In the orchestrator's queue. */
interface Place {
  requestId: string;
  /** Asked for, and not refused. */
  taken: boolean;
}

export class LeaseSelector extends EngineSelector {
  constructor(private readonly options: LeaseSelectorOptions) {
    super();
  }

  /** @throws also OrchestratorError, when the orchestrator could not be asked */
  async select(request: SelectRequest): Promise<LeasedEngine> {
    // One id for the whole wait: it keeps the place in the queue, and asking again cannot reserve a second engine. That of a reserve finds out whether
    // its lease still stands.
    const place: Place = { requestId: request.reserved?.requestId ?? randomUUID(), taken: false };
    try {
      return await this.queueUp(place, request);
    } catch (error) {
      // Or others would wait behind somebody who is gone. A reserve is used all the same where only its orchestrator could not be asked.
      const keepsReserve = request.reserved && error instanceof OrchestratorError;
      if (place.taken && !keepsReserve) void this.release(place.requestId);
      throw error;
    }
  }

  private async queueUp(place: Place, request: SelectRequest): Promise<LeasedEngine> {
    const { clock, log, timeoutMs } = this.options;
    for (let first = true; ; first = false) {
      const left = request.deadline - clock.now();
      if (left <= 0) throw new NoEngineError('none came free in time', 5);
      let pause: number;
      try {
        place.taken = true;
        const longest = first ? FIRST_WAIT_MS : timeoutMs * (1 - MARGIN);
        const answer = await this.ask(place.requestId, request, Math.min(longest, left));
        if (answer.kind === 'granted') return this.seat(answer.lease, request, place.requestId);
        log.debug('waiting for an engine', { stream_id: request.streamId, ...answer.waiting });
        // Where an engine is about to come free the next question is to be there before it: it is answered in that moment.
        pause = request.onScarce() || first ? LEAST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, answer.waiting.retry_after_ms);
      } catch (error) {
        if (!(error instanceof ProvisioningBlockedError)) throw error;
        place.taken = false;
        // A player that changes channels may open the new one a moment before it leaves the old: one refusal after a short wait is not believed.
        if (!request.onScarce() && !first) throw noEngineBecause(error);
        pause = LEAST_PAUSE_MS;
      }
      await sleep(clock, Math.min(Math.max(LEAST_PAUSE_MS, pause), Math.max(1, request.deadline - clock.now())), request.signal);
    }
  }

  /** The answer, or the reason of the signal at once; a lease that is granted afterwards is given back. */
  private ask(requestId: string, request: SelectRequest, waitMs: number): Promise<LeaseAnswer> {
    const { client, identity } = this.options;
    const { signal, content } = request;
    signal.throwIfAborted();
    const asked = client.lease({
      request_id: requestId,
      proxy_id: identity.proxyId,
      boot_id: identity.bootId,
      key_type: content.keyType,
      key: content.key,
      infohash: content.infohash,
      exclude: [...request.exclude],
      purpose: request.purpose,
      wait_ms: Math.round(waitMs),
    });
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(signal.reason as Error);
        asked.then(
          (answer) => (answer.kind === 'granted' ? this.release(answer.lease.lease_id) : undefined),
          (error: unknown) => this.options.log.debug('a lease nobody wants any more was not granted', { error }),
        );
      };
      signal.addEventListener('abort', onAbort, { once: true });
      asked.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  private seat({ lease_id: leaseId, engine, reason }: LeaseGranted, request: SelectRequest, requestId: string): LeasedEngine {
    const { streamId, content, reserved } = request;
    if (reserved?.leaseId === leaseId) return reserved;
    this.options.onGranted(engine);
    const giveBack = this.options.reservations.reserve(engine.container_id, streamId, content);
    return {
      engineId: engine.container_id,
      containerId: engine.container_id,
      address: { host: engine.host, port: engine.port },
      leaseId,
      requestId,
      reason,
      release: () => {
        giveBack();
        return this.release(leaseId);
      },
    };
  }

  private async release(id: string): Promise<void> {
    try {
      await this.options.client.releaseLease(id);
    } catch (error) {
      // It lapses by itself: no report names it any more.
      this.options.log.debug('lease could not be given back', { id, error });
    }
  }
}
