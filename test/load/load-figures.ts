/** Measurements over the whole run: response times of the API, memory of the services, and counters of the orchestrator. */
import type { Pair } from '../support/pair.js';
import { ProcessTable } from '../support/process-usage.js';
import { scrapeOf } from '../support/scrape-of.js';

const EVERY_MS = 250;
/** Memory is sampled with every 20th call, because reading a thousand processes takes time from the services. */
const MEMORY_EVERY = 20;
const PATHS = ['/engines', '/streams?status=started', '/health/ready', '/orchestrator/status'];
const LIMIT_MS = 30_000;
/** Counters that start at 0 when the orchestrator restarts. */
const COUNTED = {
  provisions: ['orch_provision_total', {}],
  failedProvisions: ['orch_provision_duration_seconds_count', { success: 'false' }],
  breakerOpenings: ['orch_circuit_breaker_opened_total', {}],
} as const;

/** Largest memory seen, MB. */
export type Memory = Record<'proxy' | 'orchestrator', number>;

/** Takes samples until it is stopped. During a restart of the orchestrator its values are not sampled. */
export class LoadFigures {
  readonly apiMs: number[] = [];
  /** Unanswered calls while the orchestrator was not restarting. */
  apiFailures = 0;
  readonly memoryMb: Memory = { proxy: 0, orchestrator: 0 };
  mostEngines = 0;
  private readonly counters = { provisions: 0, failedProvisions: 0, breakerOpenings: 0 };
  private readonly startedAt = performance.now();
  private paused = false;
  private readonly stopping = new AbortController();
  private readonly sampling: Promise<void>;

  constructor(private readonly pair: Pair) {
    this.sampling = this.sample();
  }

  /** Saves the orchestrator's counters before a restart. */
  async beforeRestart(): Promise<void> {
    this.paused = true;
    await this.takeCounters();
  }

  afterRestart(): void {
    this.paused = false;
  }

  /** Stops sampling and returns the figures. */
  async finish(): Promise<{ provisions: number; failedProvisions: number; breakerOpenings: number; seconds: number }> {
    this.stopping.abort();
    await this.sampling;
    await this.takeCounters();
    return { ...this.counters, seconds: (performance.now() - this.startedAt) / 1000 };
  }

  private async sample(): Promise<void> {
    for (let round = 0; !this.stopping.signal.aborted; round += 1) {
      const next = new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      if (!this.paused) await this.timeCall(PATHS[round % PATHS.length]);
      if (round % MEMORY_EVERY === 0) this.sampleMemory();
      await next;
    }
  }

  private async timeCall(path: string): Promise<void> {
    const startedAt = performance.now();
    try {
      const response = await fetch(this.pair.apiUrl + path, { signal: AbortSignal.timeout(LIMIT_MS) });
      const body: unknown = await response.json();
      this.apiMs.push(performance.now() - startedAt);
      if (path === '/engines') this.mostEngines = Math.max(this.mostEngines, (body as unknown[]).length);
    } catch {
      if (!this.paused) this.apiFailures += 1;
    }
  }

  private sampleMemory(): void {
    const table = new ProcessTable();
    for (const service of ['proxy', 'orchestrator'] as const)
      this.memoryMb[service] = Math.max(this.memoryMb[service], table.usageOf(this.pair[service].pid).memoryMb);
  }

  private async takeCounters(): Promise<void> {
    const scrape = await scrapeOf(this.pair.apiUrl);
    for (const [figure, [name, labels]] of Object.entries(COUNTED)) {
      this.counters[figure as keyof typeof COUNTED] += scrape.sum(name, labels) ?? 0;
    }
  }
}
