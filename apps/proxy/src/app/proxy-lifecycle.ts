/**
 * What begins with the service, and what ends in which order: no new viewers; those there are watch on for a while; then they and the engines; last the
 * word about it to the orchestrator.
 */
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import { HlsService } from '../hls/hls.service.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { ViewerService } from '../playback/viewer.service.js';
import { ReportingService } from '../reporting/reporting.service.js';
import { ListRefresh } from '../selection/list-refresh.js';
import { OrchestratorLink } from '../selection/orchestrator-link.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { ORCHESTRATOR_CLIENT } from '../selection/injection-tokens.js';
import { ServiceSettings } from './service-settings.js';

/** Viewers have so long to take the end of their stream … */
const FAREWELL_LIMIT_MS = 3000;
/** … and engines that were just asked to start so long to answer, or they could not be stopped. */
const ENGINES_LIMIT_MS = 5000;
/** All that together with a last report, when nobody answers, takes less than this. */
export const CLOSING_LIMIT_MS = 15_000;

@Injectable()
export class ProxyLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly registry: SessionRegistry,
    private readonly viewers: ViewerService,
    private readonly hls: HlsService,
    private readonly metrics: ProxyMetrics,
    private readonly link: OrchestratorLink,
    private readonly settings: ServiceSettings,
    @Inject(ReportingService) private readonly reporting: ReportingService | null,
    @Inject(ListRefresh) private readonly refresh: ListRefresh | null,
    @Inject(ORCHESTRATOR_CLIENT) private readonly client: OrchestratorClient | null,
  ) {}

  onApplicationBootstrap(): void {
    this.metrics.observe({
      snapshots: () => this.registry.snapshots(),
      orchestratorAway: () => (this.client === null ? null : this.link.away),
      unsentEvents: () => this.reporting?.unsentEvents ?? 0,
      hlsBytes: () => this.hls.bytes,
    });
    this.reporting?.start();
    this.refresh?.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.registry.drain(this.settings.drainTimeoutMs);
    const stopped = this.registry.shutdown(ENGINES_LIMIT_MS);
    await Promise.all([stopped, this.viewers.farewell(FAREWELL_LIMIT_MS)]);
    await this.refresh?.stop();
    await this.reporting?.stop();
    this.client?.close();
  }
}
