/**
 * Which source of engines is asked: our orchestrator's leases; a foreign orchestrator's list; and while the orchestrator is away the list as it
 * was, then the fallback engine. One that is known to be away is not waited for.
 */
import { OrchestratorError } from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import { type EngineSeat, EngineSelector, NoEngineError, type SelectRequest } from './engine-selector.js';
import type { FallbackSelector } from './fallback-selector.js';
import type { LeaseSelector } from './lease-selector.js';
import type { ListSelector } from './list-selector.js';
import type { OrchestratorLink } from './orchestrator-link.js';

export class OrchestratedSelector extends EngineSelector {
  constructor(
    private readonly link: OrchestratorLink,
    private readonly leases: LeaseSelector,
    private readonly list: ListSelector,
    private readonly fallback: FallbackSelector,
    private readonly log: Log,
  ) {
    super();
  }

  async select(request: SelectRequest): Promise<EngineSeat> {
    if (!this.link.away && this.link.kind === 'ours') {
      try {
        const seat = await this.leases.select(request);
        this.link.succeeded('ours');
        return seat;
      } catch (error) {
        if (!(error instanceof OrchestratorError)) throw error;
        this.note('lease', error, request);
      }
    }
    if (!this.link.away) {
      try {
        return await this.list.select(request, { provision: true });
      } catch (error) {
        if (!(error instanceof OrchestratorError)) throw error;
        this.note('list', error, request);
      }
    }
    return this.selectAlone(request);
  }

  private note(call: string, error: OrchestratorError, { streamId }: SelectRequest): void {
    const state = this.link.failed(error);
    if (state === 'there')
      this.log.error('the orchestrator cannot be used', { stream_id: streamId, call, code: error.code, problem: error.message });
  }

  private async selectAlone(request: SelectRequest): Promise<EngineSeat> {
    try {
      return await this.list.select(request, { provision: false });
    } catch (error) {
      if (!(error instanceof OrchestratorError) && !(error instanceof NoEngineError)) throw error;
      this.log.info('no engine of the list can be had, using the fallback engine', { stream_id: request.streamId, problem: error.message });
    }
    return this.fallback.select(request);
  }
}
