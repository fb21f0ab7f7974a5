/**
 * Starts the background work of the proxy, and stops it in order: new viewers are rejected, current viewers may continue for a while, then viewers
 * and engine sessions end, the orchestrator gets the final report, and last another proxy may use the id of this one.
 */
import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HlsService } from '../hls/hls.service.js';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { ViewerService } from '../playback/viewer.service.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { OrchestratorWork } from './orchestrator-work.js';
import { ServiceSettings } from './service-settings.js';

/** Time for viewers to receive the end of their stream … */
const VIEWERS_LIMIT_MS = 3000;
/** … and for engines that are just starting to reply, because only then can they be stopped. */
const ENGINES_LIMIT_MS = 5000;
/** Upper bound of the whole shutdown, including a last report that gets no answer. */
export const CLOSING_LIMIT_MS = 15_000;

@Injectable()
export class ProxyLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly registry: SessionRegistry,
    private readonly viewers: ViewerService,
    private readonly hls: HlsService,
    private readonly metrics: ProxyMetrics,
    private readonly settings: ServiceSettings,
    private readonly orchestratorWork: OrchestratorWork,
  ) {}

  onApplicationBootstrap(): void {
    this.metrics.observeOrchestrator(this.orchestratorWork.observed);
    this.metrics.observeStreams({
      snapshots: () => this.registry.snapshots(),
      hlsBytes: () => this.hls.bytes,
      budget: this.registry.budget,
    });
    this.orchestratorWork.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.registry.drain(this.settings.drainTimeoutMs);
    const stopped = this.registry.shutdown(ENGINES_LIMIT_MS);
    await Promise.all([stopped, this.viewers.closeAll(VIEWERS_LIMIT_MS)]);
    await this.orchestratorWork.stop();
  }
}
