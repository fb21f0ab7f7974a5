import { OPERATION_TYPES, type OperationType } from '@acexy/contracts';
import { counterOf, Log } from '@acexy/service-kit';
import { Clock, ListenerSet } from '@acexy/service-kit/primitives';
import { Injectable } from '@nestjs/common';
import { EngineRegistry } from '../engines/engine-registry.js';
import { CircuitBreaker, type CircuitPermit, type CircuitReport } from './circuit-breaker.js';
import { ProvisioningSettings } from './provisioning-settings.js';

export interface LastFailure {
  reason: string;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface OperationReport extends CircuitReport {
  lastFailure: LastFailure | null;
}

/** Permission to start one engine. */
export interface OperationPermit {
  readonly operation: OperationType;
  readonly permit: CircuitPermit;
}

/** Null when the API of a started engine answered, otherwise why it never did. */
export type ReadinessFailure = string | null;

/**
 * One circuit breaker for general provisioning and one for replacements, so that failed replacements do not stop starts for viewers, and vice
 * versa. A start counts as successful when the engine answers: with a broken image, containers may run but never answer.
 */
@Injectable()
export class ProvisioningBreakers {
  private readonly breakers: Record<OperationType, CircuitBreaker>;
  private readonly failures: Record<OperationType, LastFailure | null> = { general: null, replacement: null };
  private readonly resets = new ListenerSet();
  private readonly openings = counterOf('orch_circuit_breaker_opened_total', 'Times the circuit breaker opened', {
    operation_type: OPERATION_TYPES,
  });
  /** Starts in progress. */
  private readonly starting = new Set<OperationPermit>();
  /** Engines that run but have not answered yet, by container id. */
  private readonly unproven = new Map<string, OperationPermit>();
  /** Outcomes reported before the start returned: an engine can be listed and probed before that. */
  private readonly earlyOutcomes = new Map<string, ReadinessFailure>();
  private readonly log: Log;

  constructor(
    settings: ProvisioningSettings,
    registry: EngineRegistry,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.log = log.child('provisioning');
    const { circuitBreakerThreshold: threshold, circuitBreakerTimeoutMs: timeoutMs } = settings;
    const { replacementBreakerThreshold, replacementBreakerTimeoutMs } = settings;
    // Without a ready engine no viewer is served, so the next trial must not wait for minutes.
    const isUrgent = (): boolean => !registry.all().some(({ lifecycle, health }) => lifecycle === 'ready' && health !== 'unhealthy');
    this.breakers = {
      general: new CircuitBreaker({ threshold, timeoutMs, isUrgent }),
      replacement: new CircuitBreaker({ threshold: replacementBreakerThreshold, timeoutMs: replacementBreakerTimeoutMs, isUrgent }),
    };
  }

  permits(operation: OperationType): boolean {
    return this.breakers[operation].permits(this.clock.now());
  }

  /** How many starts are permitted at the same time: one when half open. */
  startLimit(operation: OperationType): number {
    if (!this.permits(operation)) return 0;
    return this.report(operation).state === 'closed' ? Infinity : 1;
  }

  acquire(operation: OperationType): OperationPermit | null {
    const permit = this.breakers[operation].acquire(this.clock.now());
    if (!permit) return null;
    const start = { operation, permit };
    this.starting.add(start);
    return start;
  }

  /** The engine runs; `recordReadiness` follows, or `forget`. */
  started(start: OperationPermit, containerId: string): void {
    this.unproven.set(containerId, start);
    const outcome = this.earlyOutcomes.get(containerId);
    if (outcome !== undefined) this.recordReadiness(containerId, outcome);
    this.endStart(start);
  }

  /** Whether a started engine answered; ignored for engines of an earlier run. */
  recordReadiness(containerId: string, failure: ReadinessFailure): void {
    const start = this.unproven.get(containerId);
    if (!start) {
      if (this.starting.size > 0) this.earlyOutcomes.set(containerId, failure);
      return;
    }
    this.unproven.delete(containerId);
    if (failure === null) this.succeed(start);
    else this.fail(start, failure);
  }

  /** The engine is gone. */
  forget(containerId: string): void {
    const start = this.unproven.get(containerId);
    this.unproven.delete(containerId);
    if (start) this.abandon(start);
  }

  succeed({ operation, permit }: OperationPermit): void {
    const breaker = this.breakers[operation];
    const before = breaker.state(this.clock.now());
    breaker.succeed(permit);
    if (before !== 'closed' && breaker.state(this.clock.now()) === 'closed')
      this.log.info('Circuit breaker closed', { operation_type: operation });
  }

  fail(start: OperationPermit, reason: string): void {
    const { operation, permit } = start;
    this.endStart(start);
    const opened = this.breakers[operation].fail(permit, this.clock.now());
    this.failures[operation] = { reason, at: this.clock.wallTime() };
    const { failures, threshold, retryInSeconds } = this.report(operation);
    this.log.warn('provisioning failed', { operation_type: operation, error: reason, failures, threshold });
    if (!opened) return;
    this.openings.inc({ operation_type: operation });
    this.log.error('Circuit breaker open', { operation_type: operation, failures, retry_in_s: retryInSeconds, error: reason });
  }

  abandon(start: OperationPermit): void {
    this.endStart(start);
    this.breakers[start.operation].abandon(start.permit);
  }

  /** Closes a breaker on an operator's request. */
  reset(operation: OperationType): void {
    const wasClosed = this.breakers[operation].state(this.clock.now()) === 'closed';
    this.breakers[operation].reset();
    this.log.info('Circuit breaker reset by operator', { operation_type: operation, was_closed: wasClosed });
    this.resets.emit();
  }

  /** Calls back after every reset by an operator, until the returned function is called. */
  onReset(listener: () => void): () => void {
    return this.resets.subscribe(listener);
  }

  report(operation: OperationType): OperationReport {
    return { ...this.breakers[operation].report(this.clock.now()), lastFailure: this.failures[operation] };
  }

  reports(): Record<OperationType, OperationReport> {
    return { general: this.report('general'), replacement: this.report('replacement') };
  }

  /** Why starts fail now: the last failure, if no start has succeeded since; null otherwise. */
  get currentFailure(): LastFailure | null {
    const { failures, lastFailure } = this.report('general');
    return failures > 0 ? lastFailure : null;
  }

  /** Container id of the engine that is the trial of a half-open breaker and has not answered yet; null if there is none. */
  trialEngine(operation: OperationType): string | null {
    for (const [id, start] of this.unproven) if (start.operation === operation && start.permit.trial) return id;
    return null;
  }

  /** The latest failure of both operations. */
  get lastFailure(): LastFailure | null {
    const all = OPERATION_TYPES.flatMap((operation) => this.failures[operation] ?? []);
    return all.sort((a, b) => b.at - a.at)[0] ?? null;
  }

  private endStart(start: OperationPermit): void {
    this.starting.delete(start);
    if (this.starting.size === 0) this.earlyOutcomes.clear();
  }
}
