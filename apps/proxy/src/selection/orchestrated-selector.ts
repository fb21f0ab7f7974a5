/**
 * Which source of engines is used: the leases of our orchestrator; the list of an orchestrator without lease API; while the orchestrator is unreachable
 * the last list, then the fallback engine. Nobody waits for an orchestrator that is known to be unreachable.
 */
import { OrchestratorError } from '@acexy/orchestrator-client';
import { sleep } from '@acexy/service-kit/primitives';
import { EngineSelector, type LeasedEngine, NoEngineError, type SelectRequest } from './engine-selector.js';
import type { FallbackSelector } from './fallback-selector.js';
import type { OrchestratorContext } from './injection-tokens.js';
import type { LeaseSelector } from './lease-selector.js';
import type { ListSelector } from './list-selector.js';

/** Longest restart of an orchestrator. A request that finds no engine waits at most this long for its return. */
const RESTART_MS = 10_000;
const CHECK_EVERY_MS = 250;

export class OrchestratedSelector extends EngineSelector {
  constructor(
    private readonly orchestrator: OrchestratorContext,
    private readonly leases: LeaseSelector,
    private readonly list: ListSelector,
    private readonly fallback: FallbackSelector,
  ) {
    super();
  }

  async select(request: SelectRequest): Promise<LeasedEngine> {
    for (;;) {
      try {
        return await this.selectNow(request);
      } catch (error) {
        if (!(error instanceof NoEngineError) || !(await this.returns(request))) throw error;
      }
    }
  }

  /** Whether the orchestrator, unreachable for so short a time that it may be restarting, is reachable again in time. */
  private async returns({ deadline, signal }: SelectRequest): Promise<boolean> {
    const { link, clock } = this.orchestrator;
    if (!link.unreachable) return false;
    while (link.unreachable && link.unreachableMs < RESTART_MS && clock.now() < deadline) await sleep(clock, CHECK_EVERY_MS, signal);
    return !link.unreachable;
  }

  private async selectNow(request: SelectRequest): Promise<LeasedEngine> {
    const { standby } = request;
    const { link, log } = this.orchestrator;
    if (standby && (link.unreachable || standby.leaseId === null)) return standby;
    if (!link.unreachable && link.kind === 'ours') {
      try {
        const leased = await this.leases.select(request);
        link.succeeded('lease');
        return leased;
      } catch (error) {
        if (!(error instanceof OrchestratorError)) throw error;
        link.failed('lease', error);
      }
    }
    if (standby) return standby;
    if (!link.unreachable) {
      try {
        // A standby engine is only a precaution: no engine is started for it.
        return await this.list.select(request, { provision: request.purpose !== 'reserve' });
      } catch (error) {
        if (!(error instanceof OrchestratorError)) throw error;
        link.failed('engines', error);
      }
    }
    try {
      return await this.list.select(request, { provision: false });
    } catch (error) {
      if (!(error instanceof OrchestratorError) && !(error instanceof NoEngineError)) throw error;
      log.info('using the fallback engine', { stream_id: request.streamId, error: error.message });
    }
    return this.fallback.select(request);
  }
}
