/** Starts what the front does for all workers, and stops in order: first the workers, then the reports that tell how their streams ended. */
import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ProxyMetrics } from '../metrics/proxy-metrics.js';
import { WorkerFleet } from '../workers/worker-fleet.js';
import { WorkerSessions } from '../workers/worker-sessions.js';
import { OrchestratorWork } from './orchestrator-work.js';
import { CLOSING_LIMIT_MS } from './proxy-lifecycle.js';
import { ServiceSettings } from './service-settings.js';

/** Of the time for the whole shutdown, the part for the last report. */
const REPORT_LIMIT_MS = 4000;

@Injectable()
export class FrontLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly fleet: WorkerFleet,
    private readonly sessions: WorkerSessions,
    private readonly metrics: ProxyMetrics,
    private readonly settings: ServiceSettings,
    private readonly orchestratorWork: OrchestratorWork,
  ) {}

  onApplicationBootstrap(): void {
    this.metrics.observeOrchestrator(this.orchestratorWork.observed);
    this.orchestratorWork.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.sessions.rejecting = 'shutting down';
    await this.fleet.stop(this.settings.drainTimeoutMs + CLOSING_LIMIT_MS - REPORT_LIMIT_MS);
    await this.orchestratorWork.stop();
  }
}
