import { randomBytes } from 'node:crypto';
import type { CircuitState, ProvisioningStatus } from '@acexy/contracts';
import { Log } from '@acexy/service-kit';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { InstallationId } from '../database/installation-id.js';
import { ENGINE_RUNTIME, type EngineInstance, type EnginePorts, type EngineRuntime, PortTakenError } from '../runtime/engine-runtime.js';
import { OrchestratorSettings } from '../settings.js';
import { CircuitBreaker, type CircuitPermit, type CircuitReport } from './circuit-breaker.js';
import { type EngineRequest, EngineRequestError, planEngineSpec, wantedPorts } from './engine-spec.plan.js';
import { NoPortsLeftError, PortAllocator, PortOwnedError } from './ports.js';
import { ProvisioningMetrics } from './provisioning-metrics.js';
import { ProvisioningQueue, QueueClosedError } from './provisioning-queue.js';
import type { ProvisioningRefusedError } from './provisioning-refused.error.js';
import { capacityRefusal, circuitRefusal, refusalOf, preparingRefusal } from './refusals.js';

export type ProvisioningOrigin = 'api' | 'autoscaler';
export type ReadinessOutcome = 'ready' | 'never_ready';

/** How often a port that turns out taken is exchanged for another within one provision. */
const PORT_TRIES = 5;

class StartupTimeoutError extends Error {
  readonly code = 'startup_timeout';

  constructor(limitMs: number) {
    super(`the engine did not run within ${limitMs / 1000} s (STARTUP_TIMEOUT_S)`);
    this.name = 'StartupTimeoutError';
  }
}

/**
 * How a new engine comes to be: admission (breaker, capacity), queue, ports, spec, start; every resource given back on any failure.
 *
 * It counts engines by the ports they own, those being started and those waiting for their turn included, so that calls made at the
 * same moment can never exceed MAX_REPLICAS. So whoever finds an engine tells it (`adopt`), and whoever sees one gone (`releasePorts`).
 */
@Injectable()
export class ProvisioningService implements BeforeApplicationShutdown {
  private readonly ports: PortAllocator;
  private readonly breaker: CircuitBreaker;
  private readonly queue: ProvisioningQueue<ProvisioningOrigin>;
  private readonly metrics = new ProvisioningMetrics(() => this.circuit());
  /** Engines that run but have not answered yet: what becomes of them decides what the breaker learns. By container id. */
  private readonly unproven = new Map<string, CircuitPermit>();
  /** What was told of engines whose start has not come back to us yet: a runtime shows them, and others probe them, before that. */
  private readonly early = new Map<string, ReadinessOutcome>();
  private readonly log: Log;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly settings: OrchestratorSettings,
    private readonly installation: InstallationId,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('provisioning');
    this.ports = new PortAllocator({
      http: settings.portRangeHost,
      https: settings.httpsRange,
      api: settings.apiRange,
      p2p: settings.p2pRange,
    });
    this.breaker = new CircuitBreaker({ threshold: settings.circuitBreakerThreshold, timeoutMs: settings.circuitBreakerTimeoutMs });
    this.queue = new ProvisioningQueue(
      {
        maxConcurrent: settings.maxConcurrentProvisions,
        minIntervalMs: settings.minProvisionIntervalMs,
        maxWaiting: settings.maxReplicas,
        timeoutMs: settings.provisionTimeoutMs,
      },
      clock,
    );
  }

  /**
   * Starts an engine; resolves when it runs, not when its API answers. Goes on though the caller has lost interest.
   * @throws ProvisioningRefusedError
   */
  async provision(request: EngineRequest, origin: ProvisioningOrigin): Promise<EngineInstance> {
    const askedAt = this.clock.monotonic();
    this.admit();
    let started = false;
    try {
      return await this.queue.run(origin, (signal) => {
        started = true;
        return this.attempt(request, origin, askedAt, signal);
      });
    } catch (error) {
      const refusal = refusalOf(error, this.queue.waiting * this.settings.minProvisionIntervalMs);
      const level = error instanceof QueueClosedError ? 'info' : 'warn';
      this.log[level]('provisioning refused', { origin, code: refusal.code, reason: refusal.message, started });
      throw refusal;
    }
  }

  status(): ProvisioningStatus & { circuitState: CircuitState } {
    const { maxConcurrentProvisions, minProvisionIntervalMs, maxReplicas } = this.settings;
    const inProgress = this.queue.inProgress;
    const queued = this.queue.waiting;
    return {
      max_concurrent: maxConcurrentProvisions,
      min_interval_s: minProvisionIntervalMs / 1000,
      in_progress: inProgress,
      queued,
      remaining: Math.max(0, Math.min(maxConcurrentProvisions - inProgress - queued, maxReplicas - this.engineCount())),
      circuitState: this.breaker.state(this.clock.monotonic()),
    };
  }

  circuit(): CircuitReport {
    const now = this.clock.monotonic();
    return {
      state: this.breaker.state(now),
      failures: this.breaker.failures,
      threshold: this.breaker.threshold,
      retryInSeconds: Math.ceil(this.breaker.retryInMs(now) / 1000),
    };
  }

  /** Engines there are, are being started, or wait for their start. */
  engineCount(): number {
    return this.ports.ownerCount + this.queue.waiting;
  }

  /**
   * Whether an engine that was started has answered. Only this closes a half-open breaker or ends a row of failures: an image whose
   * containers run but never answer is as broken as one that does not start. Engines we did not start count for nothing here.
   */
  recordReadiness(containerId: string, outcome: ReadinessOutcome): void {
    const permit = this.unproven.get(containerId);
    if (!permit) {
      if (this.queue.inProgress > 0) this.early.set(containerId, outcome);
      return;
    }
    this.unproven.delete(containerId);
    if (outcome === 'ready') this.succeed(permit);
    else this.fail(permit, `engine ${containerId} never answered`);
  }

  /** Counts engines that exist and marks their ports as taken; known ones may be told again. */
  adopt(instances: readonly EngineInstance[]): void {
    for (const { id, name, ports } of instances) {
      if (this.ports.has(name)) continue;
      for (const conflict of this.ports.adopt(name, ports)) {
        this.log.warn('two engines have the same port', { container_id: id, port: conflict.port, other: conflict.owner });
      }
    }
  }

  /** Gives back what an engine that is gone had. Record its readiness before, where it never answered. */
  releasePorts({ id, name }: Pick<EngineInstance, 'id' | 'name'>): void {
    this.ports.release(name);
    const permit = this.unproven.get(id);
    if (!permit) return;
    this.unproven.delete(id);
    this.breaker.abandon(permit);
  }

  /** Refuses what waits and aborts what is being started, leaving nothing behind of it. */
  async close(): Promise<void> {
    await this.queue.close();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.close();
  }

  private admit(): void {
    const preparing = this.runtime.preparing();
    if (preparing !== null) throw preparingRefusal(preparing);
    if (!this.breaker.permits(this.clock.monotonic())) throw this.circuitRefusal();
    if (this.engineCount() < this.settings.maxReplicas) return;
    throw capacityRefusal(this.settings.maxReplicas, this.settings.autoscaleIntervalMs);
  }

  private async attempt(request: EngineRequest, origin: ProvisioningOrigin, askedAt: number, signal: AbortSignal): Promise<EngineInstance> {
    const permit = this.breaker.acquire(this.clock.monotonic());
    if (!permit) throw this.circuitRefusal();
    try {
      const instance = await this.startOnFreePorts(request, signal);
      this.unproven.set(instance.id, permit);
      const outcome = this.early.get(instance.id);
      if (outcome) this.recordReadiness(instance.id, outcome);
      this.metrics.started(instance.kind, this.secondsSince(askedAt));
      this.log.info('engine runs', {
        container_id: instance.id,
        name: instance.name,
        port: instance.port,
        origin,
        seconds: this.secondsSince(askedAt),
      });
      return instance;
    } catch (error) {
      this.metrics.failed(this.secondsSince(askedAt));
      if (saysNothingOfTheRuntime(error)) this.breaker.abandon(permit);
      else this.fail(permit, (error as Error).message);
      throw error;
    } finally {
      // This one still counts.
      if (this.queue.inProgress === 1) this.early.clear();
    }
  }

  private async startOnFreePorts(request: EngineRequest, signal: AbortSignal): Promise<EngineInstance> {
    const wanted = wantedPorts(request);
    const name = `acestream-${randomBytes(4).toString('hex')}`;
    for (let tries = 1; ; tries += 1) {
      const ports = this.ports.allocate(name, this.clock.monotonic(), wanted);
      try {
        return await this.start(request, name, ports, signal);
      } catch (error) {
        this.ports.release(name);
        if (!(error instanceof PortTakenError)) throw error;
        this.ports.setAside(error.port, this.clock.monotonic());
        if (tries === PORT_TRIES || signal.aborted || Object.values(wanted).includes(error.port)) throw error;
        this.log.info('port is taken, trying others', { port: error.port, tries });
      }
    }
  }

  private async start(request: EngineRequest, name: string, ports: EnginePorts, signal: AbortSignal): Promise<EngineInstance> {
    const spec = planEngineSpec(request, {
      name,
      ports,
      containerLabel: this.settings.containerLabel,
      installationId: this.installation.value,
      httpsOnHost: this.runtime.name === 'process' || this.settings.mapHttps,
    });
    const startup = new AbortController();
    const limit = setTimeout(() => startup.abort(new StartupTimeoutError(this.settings.startupTimeoutMs)), this.settings.startupTimeoutMs);
    const either = AbortSignal.any([signal, startup.signal]);
    try {
      const instance = await this.runtime.start(spec, either);
      if (!either.aborted) return instance;
      // It came up in the very moment it was given up: nobody would ever know of it.
      await this.runtime.remove(instance.id, 0);
      throw either.reason;
    } catch (error) {
      throw either.aborted ? either.reason : error;
    } finally {
      clearTimeout(limit);
    }
  }

  private succeed(permit: CircuitPermit): void {
    const before = this.breaker.state(this.clock.monotonic());
    this.breaker.succeed(permit);
    if (before !== 'closed' && this.breaker.state(this.clock.monotonic()) === 'closed') this.log.info('Circuit breaker closed');
  }

  private fail(permit: CircuitPermit, reason: string): void {
    const opened = this.breaker.fail(permit, this.clock.monotonic());
    this.log.warn('provisioning failed', { reason, failures: this.breaker.failures, threshold: this.breaker.threshold });
    if (opened)
      this.log.error('Circuit breaker open', {
        failures: this.breaker.failures,
        retry_in_s: this.settings.circuitBreakerTimeoutMs / 1000,
        reason,
      });
  }

  private circuitRefusal(): ProvisioningRefusedError {
    return circuitRefusal(this.circuit(), this.settings.startupGraceMs);
  }

  private secondsSince(monotonicMs: number): number {
    return Math.round(this.clock.monotonic() - monotonicMs) / 1000;
  }
}

/** Our own limits, a foreign program's port, the caller's mistake, or our own end: no reason to stop trying. */
function saysNothingOfTheRuntime(error: unknown): boolean {
  return [QueueClosedError, EngineRequestError, PortTakenError, PortOwnedError, NoPortsLeftError].some((type) => error instanceof type);
}
