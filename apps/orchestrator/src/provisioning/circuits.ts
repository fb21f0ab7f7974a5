import type { OperationType } from '@acexy/contracts';
import { OPERATION_TYPES } from '@acexy/contracts';
import { counterOf, type Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import { CircuitBreaker, type CircuitBreakerSettings, type CircuitPermit, type CircuitReport } from './circuit-breaker.js';

export interface LastFailure {
  reason: string;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface OperationReport extends CircuitReport {
  lastFailure: LastFailure | null;
}

/** The leave to start one engine; its outcome is told exactly once. */
export interface OperationPermit {
  readonly operation: OperationType;
  readonly permit: CircuitPermit;
}

/**
 * The breaker of each kind of provisioning, and the log of what they do. They are apart so that a pool of ill engines whose replacements
 * fail does not keep viewers from the engines that can be started, and the other way round.
 */
export class Circuits {
  private readonly breakers: Record<OperationType, CircuitBreaker>;
  private readonly failures: Record<OperationType, LastFailure | null> = { general: null, replacement: null };

  private readonly openings = counterOf(
    'orch_circuit_breaker_opened_total',
    'Times that the breaker opened',
    ['operation_type'],
    OPERATION_TYPES.map((operation) => ({ operation_type: operation })),
  );
  private readonly resetListeners = new Set<() => void>();

  constructor(
    settings: Record<OperationType, CircuitBreakerSettings>,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.breakers = { general: new CircuitBreaker(settings.general), replacement: new CircuitBreaker(settings.replacement) };
  }

  permits(operation: OperationType): boolean {
    return this.breakers[operation].permits(this.clock.now());
  }

  acquire(operation: OperationType): OperationPermit | null {
    const permit = this.breakers[operation].acquire(this.clock.now());
    return permit && { operation, permit };
  }

  succeed({ operation, permit }: OperationPermit): void {
    const breaker = this.breakers[operation];
    const before = breaker.state(this.clock.now());
    breaker.succeed(permit);
    if (before !== 'closed' && breaker.state(this.clock.now()) === 'closed')
      this.log.info('Circuit breaker closed', { operation_type: operation });
  }

  fail({ operation, permit }: OperationPermit, reason: string): void {
    const breaker = this.breakers[operation];
    const opened = breaker.fail(permit, this.clock.now());
    const { failures, threshold } = breaker;
    this.failures[operation] = { reason, at: this.clock.wallTime() };
    this.log.warn('provisioning failed', { operation_type: operation, reason, failures, threshold });
    if (!opened) return;
    this.openings.inc({ operation_type: operation });
    const retryInSeconds = breaker.retryInMs(this.clock.now()) / 1000;
    this.log.error('Circuit breaker open', { operation_type: operation, failures, retry_in_s: retryInSeconds, reason });
  }

  abandon({ operation, permit }: OperationPermit): void {
    this.breakers[operation].abandon(permit);
  }

  /** Closes it by hand: what failed before counts no more. @returns whether it was not closed */
  reset(operation: OperationType): boolean {
    const wasOpen = this.breakers[operation].state(this.clock.now()) !== 'closed';
    this.breakers[operation].reset();
    this.log.info('Circuit breaker reset by hand', { operation_type: operation, was_closed: !wasOpen });
    for (const listener of this.resetListeners) listener();
    return wasOpen;
  }

  /** Calls back on every reset by hand until the returned function is called. */
  onReset(listener: () => void): () => void {
    this.resetListeners.add(listener);
    return () => this.resetListeners.delete(listener);
  }

  report(operation: OperationType): OperationReport {
    return { ...this.breakers[operation].report(this.clock.now()), lastFailure: this.failures[operation] };
  }

  reports(): Record<OperationType, OperationReport> {
    return { general: this.report('general'), replacement: this.report('replacement') };
  }

  /** The latest of either kind, or null. */
  get lastFailure(): LastFailure | null {
    const all = OPERATION_TYPES.flatMap((operation) => this.failures[operation] ?? []);
    return all.sort((a, b) => b.at - a.at)[0] ?? null;
  }
}
