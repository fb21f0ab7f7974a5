import type { CircuitState, OperationType, ProvisioningStatus } from '@acexy/contracts';
import { Log } from '@acexy/service-kit';
import { Clock, ListenerSet, orAborted } from '@acexy/service-kit/primitives';
import { type BeforeApplicationShutdown, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type EngineChange, wasNeverReady } from '../engines/engine.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineSync } from '../engines/engine-sync.service.js';
import type { EngineInstance } from '../runtime/engine-runtime.js';
import { HttpSettings } from '../http/http-settings.js';
import { EngineLimit } from '../vpn/engine-limit.js';
import { ProvisioningSettings } from './provisioning-settings.js';
import { ProvisioningBreakers } from './provisioning-breakers.js';
import { EngineLauncher, newName } from './engine-launcher.js';
import type { ContainerRequest, EngineRequest } from './engine-spec.plan.js';
import { ProvisioningMetrics } from './provisioning-metrics.js';
import { ProvisioningQueue, QueueError } from './provisioning-queue.js';
import { countsAsFailure, ProvisioningRefusedError, refusalOf, shuttingDownRefusal } from './refusals.policy.js';
import { StartChecks } from './start-checks.js';

export type ProvisioningOrigin = 'api' | 'autoscaler';
type StartOrigin = ProvisioningOrigin | 'container';
type Start = (signal: AbortSignal, requestedAt: number) => Promise<EngineInstance>;

/**
 * Starts engines and containers: checks whether a start is possible, queues it, and adds what was started to the registry.
 *
 * Every engine counts from its request on, so simultaneous requests never exceed MAX_REPLICAS: while it waits by its place in the queue, then
 * by its ports. Changes of the registry update the ports and tell the circuit breakers which engines answered.
 */
@Injectable()
export class ProvisioningService implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown {
  private readonly queue: ProvisioningQueue<StartOrigin>;
  private readonly metrics: ProvisioningMetrics;
  private readonly settled = new ListenerSet();
  private readonly closing = new AbortController();
  /** Names of the engines whose start was requested and has not returned. */
  private readonly requested = new Set<string>();
  private unsubscribe: (() => void) | undefined;
  private readonly log: Log;

  constructor(
    private readonly launcher: EngineLauncher,
    private readonly registry: EngineRegistry,
    private readonly sync: EngineSync,
    readonly breakers: ProvisioningBreakers,
    readonly checks: StartChecks,
    private readonly settings: ProvisioningSettings,
    private readonly http: HttpSettings,
    private readonly limit: EngineLimit,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('provisioning');
    this.queue = new ProvisioningQueue(
      ['api', 'autoscaler', 'container'],
      {
        maxConcurrent: settings.maxConcurrentProvisions,
        minIntervalMs: settings.minProvisionIntervalMs,
        maxWaiting: limit.engines,
        timeoutMs: settings.provisionTimeoutMs,
      },
      clock,
    );
    this.metrics = new ProvisioningMetrics(breakers, () => this.status());
  }

  onModuleInit(): void {
    this.unsubscribe = this.registry.onChange((change) => this.followRegistry(change));
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }

  /** Rejects queued starts and aborts those in progress; nothing unknown keeps running. */
  beforeApplicationShutdown(): Promise<void> {
    this.closing.abort(shuttingDownRefusal());
    return this.queue.close();
  }

  /**
   * Starts an engine; resolves when it runs, which is before its API answers. Continues when the caller has disconnected.
   * @throws ProvisioningRefusedError
   */
  async provision(request: EngineRequest, origin: ProvisioningOrigin, operation: OperationType = 'general'): Promise<EngineInstance> {
    const name = newName('acestream');
    this.requested.add(name);
    try {
      if (!this.sync.isSynced) throwIfRefused(await this.knowsWhatRuns());
      // No await between the checks and the queue, or simultaneous requests could exceed MAX_REPLICAS.
      throwIfRefused(this.checks.forEngine(request.image, operation, this.engineCount()));
      return await this.enqueue(origin, async (signal, requestedAt) => {
        const permit = this.breakers.acquire(operation);
        if (!permit) throw this.checks.circuit(operation);
        try {
          const instance = await this.timed(origin, requestedAt, this.launcher.startEngine(request, name, signal));
          this.breakers.started(permit, instance.id);
          return instance;
        } catch (error) {
          if (countsAsFailure(error)) this.breakers.fail(permit, (error as Error).message);
          else this.breakers.abandon(permit);
          throw error;
        }
      });
    } catch (error) {
      throw this.counted(error);
    } finally {
      this.requested.delete(name);
      this.settled.emit();
    }
  }

  /**
   * Starts a container that is not an engine, in the same queue. It counts neither for MAX_REPLICAS nor for the circuit breaker, because the
   * image of a caller is not the engine image.
   * @throws ProvisioningRefusedError
   */
  async provisionContainer(request: ContainerRequest): Promise<EngineInstance> {
    try {
      if (!this.sync.isSynced) throwIfRefused(await this.knowsWhatRuns());
      throwIfRefused(this.checks.forContainer(request.image));
      return await this.enqueue('container', (signal, requestedAt) =>
        this.timed('container', requestedAt, this.launcher.startContainer(request, signal)),
      );
    } catch (error) {
      throw this.counted(error);
    }
  }

  status(): ProvisioningStatus & { circuitState: CircuitState } {
    const { maxConcurrentProvisions, minProvisionIntervalMs } = this.settings;
    const { inProgress, waiting } = this.queue;
    return {
      max_concurrent: maxConcurrentProvisions,
      min_interval_s: minProvisionIntervalMs / 1000,
      in_progress: inProgress,
      queued: waiting,
      remaining: Math.max(0, Math.min(maxConcurrentProvisions - inProgress - waiting, this.limit.engines - this.engineCount())),
      circuitState: this.breakers.report('general').state,
    };
  }

  /** Engines that exist, are being started, or wait in the queue. */
  engineCount(): number {
    return this.launcher.engineCount + this.queue.waiting - this.queue.waitingFrom('container');
  }

  /** Engines that were requested and are not in the registry yet. */
  get pending(): number {
    let known = 0;
    // The runtime may show an engine before its start returns.
    if (this.requested.size > 0) for (const { instance } of this.registry.all()) if (this.requested.has(instance.name)) known++;
    return this.requested.size - known;
  }

  /** Starts of the autoscaler that wait in the queue: `revoke` can cancel them. */
  get revocable(): number {
    return this.queue.waitingFrom('autoscaler');
  }

  /** Cancels the newest queued starts of the autoscaler; those of API callers continue. @returns the number cancelled */
  revoke(count: number): number {
    return this.queue.revoke('autoscaler', count);
  }

  /** Calls back when the start of an engine has succeeded or failed, until the returned function is called. */
  onSettled(listener: () => void): () => void {
    return this.settled.subscribe(listener);
  }

  private knowsWhatRuns(): Promise<ProvisioningRefusedError | null> {
    return orAborted(this.checks.knowsWhatRuns(), this.closing.signal);
  }

  private followRegistry({ type, engine, reason, remains }: EngineChange): void {
    switch (type) {
      case 'added':
      case 'remains':
        this.launcher.adopt(engine.instance);
        break;
      case 'ready':
        this.breakers.recordReadiness(engine.id, null);
        break;
      case 'gone':
        if (wasNeverReady(engine))
          this.breakers.recordReadiness(engine.id, this.launcher.describeNeverReady(engine.instance, engine.drain?.reason ?? reason));
        // A dead container may be restarted: it keeps its ports and counts until it is removed.
        if (!remains) this.release(engine.instance);
        break;
      case 'cleared':
        this.release(engine.instance);
        break;
      case 'draining':
      case 'health':
        break;
      default:
        this.log.error(`unknown change ${String(type satisfies never)}`);
    }
  }

  private release(instance: EngineInstance): void {
    this.launcher.release(instance);
    this.breakers.forget(instance.id);
  }

  private async enqueue(origin: StartOrigin, start: Start): Promise<EngineInstance> {
    const requestedAt = this.clock.now();
    const { provisionTimeoutMs } = this.settings;
    // A caller of the API gets 504 after API_REQUEST_TIMEOUT_S and would not see a later result.
    const patienceMs = origin === 'autoscaler' ? provisionTimeoutMs : Math.min(this.http.apiRequestTimeoutMs, provisionTimeoutMs);
    let started = false;
    const run = (signal: AbortSignal): Promise<EngineInstance> => {
      started = true;
      this.metrics.queueWait.observe(this.secondsSince(requestedAt));
      return start(signal, requestedAt);
    };
    const instance = await this.queue.run(origin, run, patienceMs).catch((error: unknown) => {
      const refusal = refusalOf(error, this.queue.expectedWaitMs(origin));
      const isRoutine = error instanceof QueueError && (error.code === 'queue_closed' || error.code === 'queue_revoked');
      this.log[isRoutine ? 'info' : 'warn']('provisioning refused', { origin, code: refusal.code, error: refusal.message, started });
      throw refusal;
    });
    this.registry.add(instance);
    return instance;
  }

  private async timed(origin: StartOrigin, requestedAt: number, start: Promise<EngineInstance>): Promise<EngineInstance> {
    try {
      const instance = await start;
      const { id, kind, name, port } = instance;
      const seconds = this.secondsSince(requestedAt);
      this.metrics.started.inc({ kind });
      this.metrics.duration.observe({ success: 'true' }, seconds);
      this.log.info(`${kind === 'generic' ? 'container' : 'engine'} started`, { engine_id: id, name, port, origin, seconds });
      return instance;
    } catch (error) {
      this.metrics.duration.observe({ success: 'false' }, this.secondsSince(requestedAt));
      throw error;
    }
  }

  private counted(error: unknown): unknown {
    if (error instanceof ProvisioningRefusedError) this.metrics.refused.inc({ code: error.code });
    return error;
  }

  private secondsSince(monotonicMs: number): number {
    return Math.round(this.clock.now() - monotonicMs) / 1000;
  }
}

function throwIfRefused(refusal: ProvisioningRefusedError | null): void {
  if (refusal) throw refusal;
}
