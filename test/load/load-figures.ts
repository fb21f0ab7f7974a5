/** Measurements besides the viewers: response times of the API, and resources of the services and the machine. */
import { readFileSync } from 'node:fs';
import type { Pair } from '../support/pair.js';
import { scrapeOf } from '../support/scrape-of.js';

const EVERY_MS = 250;
const PATHS = ['/engines', '/streams?status=started', '/health/ready', '/orchestrator/status'];
const LIMIT_MS = 30_000;
const MB = 1024 ** 2;
/** Counters that start at 0 when the orchestrator restarts. */
const COUNTED = {
  provisions: ['orch_provision_total', {}],
  failedProvisions: ['orch_provision_duration_seconds_count', { success: 'false' }],
  breakerOpenings: ['orch_circuit_breaker_opened_total', {}],
} as const;

export interface Usage {
  /** CPU seconds. */
  cpuS: number;
  /** Largest value seen. */
  memoryMb: number;
}

/** Takes samples until it is stopped. During a restart of the orchestrator its values are not sampled. */
export class LoadFigures {
  readonly apiMs: number[] = [];
  /** Unanswered calls while the orchestrator was not restarting. */
  apiFailures = 0;
  readonly orchestrator: Usage = { cpuS: 0, memoryMb: 0 };
  readonly proxy: Usage = { cpuS: 0, memoryMb: 0 };
  mostEngines = 0;
  private readonly counters = { provisions: 0, failedProvisions: 0, breakerOpenings: 0 };
  private readonly startedAt = performance.now();
  private readonly busyAtStart = busySeconds();
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
  async finish(): Promise<{ provisions: number; failedProvisions: number; breakerOpenings: number; seconds: number; machineBusy: number }> {
    this.stopping.abort();
    await this.sampling;
    await this.takeCounters();
    const seconds = (performance.now() - this.startedAt) / 1000;
    const [busy, all] = busySeconds().map((now, index) => now - this.busyAtStart[index]);
    return { ...this.counters, seconds, machineBusy: busy / all };
  }

  private async sample(): Promise<void> {
    for (let round = 0; !this.stopping.signal.aborted; round += 1) {
      const next = new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      if (!this.paused) await this.timeCall(PATHS[round % PATHS.length]);
      if (round % 8 === 0)
        await Promise.all([this.sampleService(this.pair.proxyUrl), this.paused ? null : this.sampleService(this.pair.apiUrl)]);
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

  private async sampleService(url: string): Promise<void> {
    try {
      const scrape = await scrapeOf(url);
      const usage = url === this.pair.proxyUrl ? this.proxy : this.orchestrator;
      usage.memoryMb = Math.max(usage.memoryMb, (scrape.sum('process_resident_memory_bytes') ?? 0) / MB);
      if (url === this.pair.proxyUrl) usage.cpuS = scrape.sum('process_cpu_seconds_total') ?? usage.cpuS;
    } catch {
      if (!this.paused) this.apiFailures += 1;
    }
  }

  private async takeCounters(): Promise<void> {
    const scrape = await scrapeOf(this.pair.apiUrl);
    for (const [figure, [name, labels]] of Object.entries(COUNTED)) {
      this.counters[figure as keyof typeof COUNTED] += scrape.sum(name, labels) ?? 0;
    }
    this.orchestrator.cpuS += scrape.sum('process_cpu_seconds_total') ?? 0;
    this.proxy.cpuS = (await scrapeOf(this.pair.proxyUrl)).sum('process_cpu_seconds_total') ?? 0;
  }
}

/** CPU time of all processors since boot: busy and total. */
function busySeconds(): [busy: number, all: number] {
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, each) => sum + each, 0);
  // The fourth value is idle time, the fifth is I/O wait.
  return [(all - ticks[3] - ticks[4]) / 100, all / 100];
}
