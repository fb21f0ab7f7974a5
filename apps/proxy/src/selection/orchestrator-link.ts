/**
 * Whether the orchestrator is reachable, and whether it has our lease API. Every caller records here how its calls went, so that nobody waits for an
 * unreachable orchestrator. Reports and list refreshes notice its return.
 */
import {
  CallNotSupportedError,
  type OrchestratorError,
  OrchestratorTimeoutError,
  OrchestratorUnreachableError,
  UnauthorizedError,
} from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';

/** `foreign`: it has no lease API and takes events instead of reports. */
export type OrchestratorKind = 'ours' | 'foreign';

/** `unauthorized`: it answers, and rejects our key. */
export type OrchestratorState = 'reachable' | 'away' | 'unauthorized';

export type OrchestratorCallName = 'lease' | 'report' | 'engines' | 'provision' | 'event';
const OURS_ONLY: ReadonlySet<OrchestratorCallName> = new Set(['lease', 'report']);
/** Calls that need no key: their success says nothing about it. */
const OPEN: ReadonlySet<OrchestratorCallName> = new Set(['engines']);

/** A foreign orchestrator may be replaced by ours, so this is forgotten after a while. */
const FOREIGN_FOR_MS = 300_000;

export class OrchestratorLink {
  private unreachableSince: number | null = null;
  private foreignUntil: number | null = null;
  private keyRejected = false;
  /** The last logged error code of each call: each problem is logged once. */
  private readonly problems = new Map<OrchestratorCallName, string>();

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  get unreachable(): boolean {
    return this.unreachableSince !== null;
  }

  get state(): OrchestratorState {
    if (this.unreachable) return 'away';
    return this.keyRejected ? 'unauthorized' : 'reachable';
  }

  /** 0 while it is reachable. */
  get unreachableMs(): number {
    return this.unreachableSince === null ? 0 : this.clock.now() - this.unreachableSince;
  }

  /** `ours` until a call shows otherwise. */
  get kind(): OrchestratorKind {
    return this.foreignUntil !== null && this.clock.now() < this.foreignUntil ? 'foreign' : 'ours';
  }

  succeeded(call: OrchestratorCallName): void {
    if (OURS_ONLY.has(call)) this.foreignUntil = null;
    this.problems.delete(call);
    if (!OPEN.has(call)) this.keyRejected = false;
    this.markReachable();
  }

  /** @returns what the failure says about the orchestrator */
  failed(call: OrchestratorCallName, error: OrchestratorError): 'unreachable' | 'foreign' | 'reachable' {
    if (error instanceof OrchestratorUnreachableError || error instanceof OrchestratorTimeoutError) {
      this.markUnreachable(error.message);
      return 'unreachable';
    }
    this.markReachable();
    if (error instanceof CallNotSupportedError) {
      if (this.kind !== 'foreign') this.log.info('orchestrator has no lease API');
      this.foreignUntil = this.clock.now() + FOREIGN_FOR_MS;
      return 'foreign';
    }
    if (this.problems.get(call) !== error.code) {
      this.log.error('call to orchestrator failed', { call, code: error.code, error: error.message });
    }
    this.problems.set(call, error.code);
    if (error instanceof UnauthorizedError) this.keyRejected = true;
    return 'reachable';
  }

  markUnreachable(error: string): void {
    if (this.unreachableSince !== null) return;
    this.unreachableSince = this.clock.now();
    this.log.warn('orchestrator unreachable, continuing without it', { error });
  }

  private markReachable(): void {
    if (this.unreachableSince === null) return;
    this.log.info('orchestrator reachable again', { unreachable_ms: Math.round(this.unreachableMs) });
    this.unreachableSince = null;
  }
}
