import { randomBytes } from 'node:crypto';
import type { CircuitState, OperationType, ProvisioningStatus } from '@acexy/contracts';
import { Log } from '@acexy/service-kit';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { Clock } from '@acexy/service-kit/primitives';
import { InstallationId } from '../database/installation-id.js';
import { ENGINE_RUNTIME, type EngineInstance, type EnginePorts, type EngineRuntime, PortTakenError } from '../runtime/engine-runtime.js';
import { OrchestratorSettings } from '../settings.js';
import { Circuits, type OperationPermit, type OperationReport } from './circuits.js';
import { type ContainerRequest, hostPortsOf, planContainerSpec } from './container-spec.plan.js';
import { type EngineRequest, EngineRequestError, planEngineSpec, wantedPorts } from './engine-spec.plan.js';
import { PortAllocator, PortOwnedError, walkStart } from './ports.js';
import { ProvisioningMetrics } from './provisioning-metrics.js';
import { ProvisioningQueue, QueueClosedError, QueueRevokedError } from './provisioning-queue.js';
import type { ProvisioningRefusedError } from './provisioning-refused.error.js';
import { capacityRefusal, circuitRefusal, preparingRefusal, refusalOf, saysNothingOfEngines, vpnRefusal } from './refusals.js';
import { startWithin } from './startup-limit.js';
import { VpnSlots, type VpnSlot } from '../vpn/vpn-slots.service.js';

export type ProvisioningOrigin = 'api' | 'autoscaler';
export type ReadinessOutcome = 'ready' | 'never_ready';

type Lane = ProvisioningOrigin | 'container';

interface Order {
  request: EngineRequest;
  name: string;
  origin: ProvisioningOrigin;
  operation: OperationType;
  /** Monotonic milliseconds. */
  askedAt: number;
}

/** An engine on its way: what was asked for, and where it goes. */
interface Start {
  request: EngineRequest;
  wanted: Partial<EnginePorts>;
  name: string;
  seat: VpnSlot | null;
}

/** A name that no engine has had. */
export function newEngineName(): string {
  return `acestream-${randomBytes(4).toString('hex')}`;
}

/** How often a port that turns out taken is exchanged for another within one provision. */
const PORT_TRIES = 5;

/**
 * How a new engine comes to be: admission (breaker, capacity), queue, ports, spec, start; every resource given back on any failure.
 *
 * It counts engines by the ports they own, those being started and those waiting for their turn included, so that calls made at the
 * same moment can never exceed MAX_REPLICAS. So whoever finds an engine tells it (`adopt`), and whoever sees one gone (`releasePorts`).
 */
@Injectable()
export class ProvisioningService implements BeforeApplicationShutdown {
  private readonly ports: PortAllocator;
  /** What lets starts through, and stops those that keep failing. */
  readonly circuits: Circuits;
  private readonly queue: ProvisioningQueue<Lane>;
  private readonly metrics = new ProvisioningMetrics(() => this.circuits.reports());
  /** Engines that run but have not answered yet: what becomes of them decides what the breaker learns. By container id. */
  private readonly unproven = new Map<string, OperationPermit>();
  /** What was told of engines whose start has not come back to us yet: a runtime shows them, and others probe them, before that. */
  private readonly early = new Map<string, ReadinessOutcome>();
  private readonly log: Log;

  constructor(
    @Inject(ENGINE_RUNTIME) private readonly runtime: EngineRuntime,
    private readonly settings: OrchestratorSettings,
    private readonly installation: InstallationId,
    private readonly seats: VpnSlots,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('provisioning');
    const { portRangeHost: http, httpsRange: https, apiRange: api, p2pRange: p2p } = settings;
    this.ports = new PortAllocator({ http, https, api, p2p }, walkStart(installation.value));
    this.circuits = new Circuits(
      {
        general: { threshold: settings.circuitBreakerThreshold, timeoutMs: settings.circuitBreakerTimeoutMs },
        replacement: { threshold: settings.replacementBreakerThreshold, timeoutMs: settings.replacementBreakerTimeoutMs },
      },
      clock,
      this.log,
    );
    this.queue = new ProvisioningQueue(
      {
        maxConcurrent: settings.maxConcurrentProvisions,
        minIntervalMs: settings.minProvisionIntervalMs,
        maxWaiting: settings.engineLimit,
        timeoutMs: settings.provisionTimeoutMs,
      },
      clock,
    );
  }

  /**
   * Starts an engine; resolves when it runs, not when its API answers. Goes on though the caller has lost interest.
   * @param name of the engine to be, for whoever wants to know it before
   * @throws ProvisioningRefusedError
   */
  async provision(
    request: EngineRequest,
    origin: ProvisioningOrigin,
    operation: OperationType = 'general',
    name = newEngineName(),
  ): Promise<EngineInstance> {
    const askedAt = this.clock.now();
    this.admit(request.image, operation);
    const closed = this.vpnClosed();
    if (closed) throw closed;
    if (this.engineCount() >= this.settings.engineLimit)
      throw capacityRefusal(this.settings.engineLimit, this.settings.autoscaleIntervalMs);
    return this.inTurn(origin, (signal) => this.attempt({ request, name, origin, operation, askedAt }, signal));
  }

  /**
   * Starts a container that is no engine, in the same queue and not while the breaker is open; it counts for nothing else: neither
   * against MAX_REPLICAS nor to the breaker, for what a caller's own image does says nothing of engines.
   * @throws ProvisioningRefusedError
   */
  async provisionContainer(request: ContainerRequest): Promise<EngineInstance> {
    const askedAt = this.clock.now();
    this.admit(request.image, 'general');
    return this.inTurn('container', (signal) => this.startContainer(request, askedAt, signal));
  }

  status(): ProvisioningStatus & { circuitState: CircuitState } {
    const { maxConcurrentProvisions, minProvisionIntervalMs, engineLimit } = this.settings;
    const inProgress = this.queue.inProgress;
    const queued = this.queue.waiting;
    return {
      max_concurrent: maxConcurrentProvisions,
      min_interval_s: minProvisionIntervalMs / 1000,
      in_progress: inProgress,
      queued,
      remaining: Math.max(0, Math.min(maxConcurrentProvisions - inProgress - queued, engineLimit - this.engineCount())),
      circuitState: this.circuit().state,
    };
  }

  circuit(operation: OperationType = 'general'): OperationReport {
    return this.circuits.report(operation);
  }

  /** Engines there are, are being started, or wait for their start. */
  engineCount(): number {
    return this.ports.engineCount + this.queue.waiting - this.queue.waitingIn('container');
  }

  /** Engines of the autoscaler whose start has not begun: what `revoke` can call off. */
  get revocable(): number {
    return this.queue.waitingIn('autoscaler');
  }

  /** Calls off what the autoscaler ordered and nobody needs any more, the latest first; what callers of the API ordered is carried through. */
  revoke(count: number): number {
    return this.queue.revoke('autoscaler', count);
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
    if (outcome === 'ready') this.circuits.succeed(permit);
    else this.circuits.fail(permit, `engine ${containerId} never answered`);
  }

  /** Why none can be started for want of what engines are made from, or of a VPN that is up; or null. */
  preparing(): ProvisioningRefusedError | null {
    return this.imageMissing() ?? this.vpnClosed();
  }

  /** Counts engines that exist and marks their ports as taken; known ones may be told again. */
  adopt(instances: readonly EngineInstance[]): void {
    for (const { id, kind, name, ports, published } of instances) {
      if (this.ports.has(name)) continue;
      if (kind === 'generic') {
        // It runs, so whatever port it has is really its.
        const free = hostPortsOf(published).filter((port) => this.ports.ownerOf(port) === undefined);
        this.ports.reserve(name, free);
        continue;
      }
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
    this.circuits.abandon(permit);
  }

  /** Refuses what waits and aborts what is being started, leaving nothing behind of it. */
  async close(): Promise<void> {
    await this.queue.close();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.close();
  }

  private admit(image: string | undefined, operation: OperationType): void {
    const missing = image === undefined ? this.imageMissing() : null;
    if (missing) throw missing;
    if (!this.circuits.permits(operation)) throw this.circuitRefusal(operation);
  }

  private imageMissing(): ProvisioningRefusedError | null {
    const preparing = this.runtime.preparing();
    return preparing === null ? null : preparingRefusal(preparing);
  }

  private vpnClosed(): ProvisioningRefusedError | null {
    const why = this.seats.closed();
    return why === null ? null : vpnRefusal(why);
  }

  private async inTurn(lane: Lane, task: (signal: AbortSignal) => Promise<EngineInstance>): Promise<EngineInstance> {
    const askedAt = this.clock.now();
    let started = false;
    // A caller of the API has its 504 after that, and would never hear of what came of it.
    const patienceMs = lane === 'autoscaler' ? this.settings.provisionTimeoutMs : this.settings.apiRequestTimeoutMs;
    try {
      return await this.queue.run(
        lane,
        (signal) => {
          started = true;
          this.metrics.turnCame(this.secondsSince(askedAt));
          return task(signal);
        },
        Math.min(patienceMs, this.settings.provisionTimeoutMs),
      );
    } catch (error) {
      const refusal = refusalOf(error, this.queue.expectedWaitMs(lane));
      const level = error instanceof QueueClosedError || error instanceof QueueRevokedError ? 'info' : 'warn';
      this.log[level]('provisioning refused', { origin: lane, code: refusal.code, reason: refusal.message, started });
      throw refusal;
    }
  }

  private async attempt({ request, name, origin, operation, askedAt }: Order, signal: AbortSignal): Promise<EngineInstance> {
    const permit = this.circuits.acquire(operation);
    if (!permit) throw this.circuitRefusal(operation);
    try {
      const instance = await this.startOnFreePorts(request, name, signal);
      this.unproven.set(instance.id, permit);
      const outcome = this.early.get(instance.id);
      if (outcome) this.recordReadiness(instance.id, outcome);
      this.announce(instance, origin, askedAt);
      return instance;
    } catch (error) {
      this.metrics.failed(this.secondsSince(askedAt));
      if (saysNothingOfEngines(error)) this.circuits.abandon(permit);
      else this.circuits.fail(permit, (error as Error).message);
      throw error;
    } finally {
      // This one still counts.
      if (this.queue.inProgress === 1) this.early.clear();
    }
  }

  private async startOnFreePorts(request: EngineRequest, name: string, signal: AbortSignal): Promise<EngineInstance> {
    const wanted = wantedPorts(request);
    const seat = this.seats.take(name);
    try {
      return await this.startInSeat({ request, wanted, name, seat }, signal);
    } catch (error) {
      this.seats.release(name);
      throw error;
    }
  }

  private async startInSeat({ request, wanted, name, seat }: Start, signal: AbortSignal): Promise<EngineInstance> {
    const own = seat ? { http: seat.httpPorts } : {};
    let p2p = seat?.p2pPort ?? null;
    for (let tries = 1; ; tries += 1) {
      if (p2p !== null && this.ports.ownerOf(p2p) !== undefined) p2p = null;
      const ports = this.ports.allocate(name, this.clock.now(), p2p === null ? wanted : { ...wanted, p2p }, own);
      try {
        const spec = planEngineSpec(request, {
          name,
          ports,
          containerLabel: this.settings.containerLabel,
          installationId: this.installation.value,
          httpsOnHost: this.runtime.name === 'process' || this.settings.mapHttps,
          cacheLimitGb: this.settings.engineCacheLimitGb,
          seat,
        });
        return await startWithin(this.settings.startupTimeoutMs, this.runtime, spec, signal);
      } catch (error) {
        this.ports.release(name);
        if (!(error instanceof PortTakenError)) throw error;
        this.ports.setAside(error.port, this.clock.now());
        if (error.port === p2p) p2p = null;
        if (tries === PORT_TRIES || signal.aborted || Object.values(wanted).includes(error.port)) throw error;
        this.log.info('port is taken, trying others', { port: error.port, tries });
      }
    }
  }

  private async startContainer(request: ContainerRequest, askedAt: number, signal: AbortSignal): Promise<EngineInstance> {
    const name = `${request.namePrefix}-${randomBytes(4).toString('hex')}`;
    const { containerLabel, startupTimeoutMs } = this.settings;
    try {
      this.ports.reserve(name, Object.values(request.ports));
      const spec = planContainerSpec(request, { name, containerLabel, installationId: this.installation.value });
      const instance = await startWithin(startupTimeoutMs, this.runtime, spec, signal);
      this.announce(instance, 'container', askedAt);
      return instance;
    } catch (error) {
      this.ports.release(name);
      this.metrics.failed(this.secondsSince(askedAt));
      // The caller named the port, so that only the caller can name another.
      if (error instanceof PortOwnedError || error instanceof PortTakenError)
        throw new EngineRequestError(`ports: ${error.message}, choose another`);
      throw error;
    }
  }

  private announce(instance: EngineInstance, origin: Lane, askedAt: number): void {
    const { id, kind, name, port } = instance;
    const seconds = this.secondsSince(askedAt);
    this.metrics.started(kind, seconds);
    this.log.info(kind === 'generic' ? 'container runs' : 'engine runs', { container_id: id, name, port, origin, seconds });
  }

  private circuitRefusal(operation: OperationType): ProvisioningRefusedError {
    return circuitRefusal(this.circuit(operation), this.settings.startupGraceMs);
  }

  private secondsSince(monotonicMs: number): number {
    return Math.round(this.clock.now() - monotonicMs) / 1000;
  }
}
