/** The background work for the orchestrator: reports, and the list of engines. Does nothing in a proxy without an orchestrator. */
import { Inject, Injectable } from '@nestjs/common';
import { ReportingService } from '../reporting/reporting.service.js';
import { ORCHESTRATOR, type OrchestratorContext } from '../selection/injection-tokens.js';
import { ListRefresh } from '../selection/list-refresh.js';

@Injectable()
export class OrchestratorWork {
  /** What metrics show of it. */
  readonly observed = {
    orchestratorState: () => this.orchestrator?.link.state ?? null,
    unsentEvents: () => this.reporting?.unsentEvents ?? 0,
  };

  constructor(
    @Inject(ReportingService) private readonly reporting: ReportingService | null,
    @Inject(ListRefresh) private readonly refresh: ListRefresh | null,
    @Inject(ORCHESTRATOR) private readonly orchestrator: OrchestratorContext | null,
  ) {}

  start(): void {
    this.reporting?.start();
    this.refresh?.start();
  }

  /** Sends the final report; then another proxy may use the id of this one. All streams must have ended. */
  async stop(): Promise<void> {
    await this.refresh?.stop();
    await this.reporting?.stop();
    this.orchestrator?.identity.release();
    this.orchestrator?.client.close();
  }
}
