/**
 * Which source of engines is asked: our orchestrator's leases; a foreign orchestrator's list; and while the orchestrator is away the list as it
 * was, then the fallback engine. One that is known to be away is not waited for.
 */
import { OrchestratorError } from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import { type Clock, sleep } from '@acexy/service-kit/primitives';
import { type LeasedEngine, EngineSelector, NoEngineError, type SelectRequest } from './engine-selector.js';
import type { FallbackSelector } from './fallback-selector.js';
import type { LeaseSelector } from './lease-selector.js';
import type { ListSelector } from './list-selector.js';
import type { OrchestratorLink } from './orchestrator-link.js';

/** A restart of the orchestrator takes so long at the most; whoever has no other engine waits for its end. */
const RESTART_MS = 10_000;
const LOOK_EVERY_MS = 250;

export class OrchestratedSelector extends EngineSelector {
  constructor(
    private readonly link: OrchestratorLink,
    private readonly leases: LeaseSelector,
    private readonly list: ListSelector,
    private readonly fallback: FallbackSelector,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    super();
  }

  async select(request: SelectRequest): Promise<LeasedEngine> {
    for (;;) {
      try {
        return await this.selectNow(request);
      } catch (error) {
        if (!(error instanceof NoEngineError) || !(await this.comesBack(request))) throw error;
      }
    }
  }

  /** Whether the orchestrator, away for so short a time that it may be a restart, is back in time. */
  private async comesBack({ deadline, signal }: SelectRequest): Promise<boolean> {
    if (!this.link.away) return false;
    while (this.link.away && this.link.awayMs < RESTART_MS && this.clock.now() < deadline) await sleep(this.clock, LOOK_EVERY_MS, signal);
    return !this.link.away;
  }

  private async selectNow(request: SelectRequest): Promise<LeasedEngine> {
    const { reserved } = request;
    if (reserved && (this.link.away || reserved.leaseId === null)) return reserved;
    if (!this.link.away && this.link.kind === 'ours') {
      try {
        const seat = await this.leases.select(request);
        this.link.succeeded('lease');
        return seat;
      } catch (error) {
        if (!(error instanceof OrchestratorError)) throw error;
        this.link.failed('lease', error);
      }
    }
    if (reserved) return reserved;
    if (!this.link.away) {
      try {
        // An engine is not started for a mere precaution.
        return await this.list.select(request, { provision: request.purpose !== 'reserve' });
      } catch (error) {
        if (!(error instanceof OrchestratorError)) throw error;
        this.link.failed('engines', error);
      }
    }
    return this.selectAlone(request);
  }

  private async selectAlone(request: SelectRequest): Promise<LeasedEngine> {
    try {
      return await this.list.select(request, { provision: false });
    } catch (error) {
      if (!(error instanceof OrchestratorError) && !(error instanceof NoEngineError)) throw error;
      this.log.info('no engine of the list can be had, using the fallback engine', { stream_id: request.streamId, problem: error.message });
    }
    return this.fallback.select(request);
  }
}
