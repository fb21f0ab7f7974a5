/** What begins with the service, and what ends in which order: viewers and engines first, then the last word to the orchestrator. */
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import { ProxyMetrics } from './metrics/proxy-metrics.js';
import { ViewerService } from './playback/viewer.service.js';
import { ReportingService } from './reporting/reporting.service.js';
import { ListRefresh } from './selection/list-refresh.js';
import { OrchestratorLink } from './selection/orchestrator-link.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { ORCHESTRATOR_CLIENT } from './tokens.js';

/** Viewers have so long to take the end of their stream … */
const FAREWELL_LIMIT_MS = 3000;
/** … and engines that were just asked to start so long to answer, or they could not be stopped. */
const ENGINES_LIMIT_MS = 5000;

@Injectable()
export class ProxyLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly registry: SessionRegistry,
    private readonly viewers: ViewerService,
    private readonly metrics: ProxyMetrics,
    private readonly link: OrchestratorLink,
    @Inject(ReportingService) private readonly reporting: ReportingService | null,
    @Inject(ListRefresh) private readonly refresh: ListRefresh | null,
    @Inject(ORCHESTRATOR_CLIENT) private readonly client: OrchestratorClient | null,
  ) {}

  onApplicationBootstrap(): void {
    this.metrics.observe({
      snapshots: () => this.registry.snapshots(),
      orchestratorAway: () => (this.client === null ? null : this.link.away),
      unsentEvents: () => this.reporting?.unsentEvents ?? 0,
    });
    this.reporting?.start();
    this.refresh?.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    const stopped = this.registry.shutdown(ENGINES_LIMIT_MS);
    await Promise.all([stopped, this.viewers.farewell(FAREWELL_LIMIT_MS)]);
    await this.refresh?.stop();
    await this.reporting?.stop();
    this.client?.close();
  }
}
