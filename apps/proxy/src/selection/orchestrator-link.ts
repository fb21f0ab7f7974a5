/**
 * What the proxy knows about its orchestrator: whether it is there, and whether it leases engines. Everybody who talks to it tells here how it
 * went, so that nobody waits for one that is known to be away. The reports, or the refresh of the engine list, are the probes that find
 * it back.
 */
import {
  CallNotSupportedError,
  type OrchestratorError,
  OrchestratorTimeoutError,
  OrchestratorUnreachableError,
} from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';

/** `ours` leases and takes reports; `foreign` has the list and the events only. */
export type OrchestratorKind = 'ours' | 'foreign';

export type OrchestratorCallName = 'lease' | 'report' | 'engines' | 'event';
/** Calls that only ours has. */
const OURS: ReadonlySet<OrchestratorCallName> = new Set(['lease', 'report']);

/** A foreign orchestrator may be replaced by ours; it is asked again after so long. */
const KIND_HOLDS_MS = 300_000;

export class OrchestratorLink {
  private awaySince: number | null = null;
  private foreignUntil: number | null = null;
  /** What is wrong with each call, as it was logged: once, not with every round. */
  private readonly problems = new Map<OrchestratorCallName, string>();

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  get away(): boolean {
    return this.awaySince !== null;
  }

  /** Milliseconds that it has been away; 0 while it is there. */
  get awayMs(): number {
    return this.awaySince === null ? 0 : this.clock.now() - this.awaySince;
  }

  /** `ours` until it has said otherwise. */
  get kind(): OrchestratorKind {
    return this.foreignUntil !== null && this.clock.now() < this.foreignUntil ? 'foreign' : 'ours';
  }

  /** It answered. */
  succeeded(call: OrchestratorCallName): void {
    if (OURS.has(call)) this.foreignUntil = null;
    this.problems.delete(call);
    this.isThere();
  }

  /** Takes note of a failed call. @returns what it says about the orchestrator */
  failed(call: OrchestratorCallName, error: OrchestratorError): 'away' | 'foreign' | 'there' {
    if (error instanceof OrchestratorUnreachableError || error instanceof OrchestratorTimeoutError) {
      this.markAway(error.message);
      return 'away';
    }
    if (error instanceof CallNotSupportedError) {
      this.isThere();
      if (this.kind !== 'foreign') this.log.info('this orchestrator leases no engines: choosing from its list');
      this.foreignUntil = this.clock.now() + KIND_HOLDS_MS;
      return 'foreign';
    }
    this.isThere();
    if (this.problems.get(call) !== error.code) {
      this.log.error('the orchestrator is there and cannot be used', { call, code: error.code, problem: error.message });
    }
    this.problems.set(call, error.code);
    return 'there';
  }

  markAway(problem: string): void {
    if (this.awaySince !== null) return;
    this.awaySince = this.clock.now();
    this.log.warn('the orchestrator is away; going on without it', { problem });
  }

  private isThere(): void {
    if (this.awaySince === null) return;
    this.log.info('the orchestrator is back', { away_ms: Math.round(this.clock.now() - this.awaySince) });
    this.awaySince = null;
  }
}
