/** Any number of engines, an orchestrator double that leases them in order, and a proxy. It counts the sessions that nobody ended. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OrchestratorServer } from '../doubles/orchestrator-server.js';
import { type ReservedPorts, reservePorts, freePorts } from '../support/ports.js';
import { ServiceProcess } from '../support/service-process.js';
import { scrapeOf } from '../support/scrape-of.js';
import { StandaloneEngine, enginePortsIn } from '../support/standalone-engine.js';
import { PORTS_PER_STACK } from '../support/engine-trio.js';
import { type ProcessResources, processResourcesOf } from '../support/process-resources.js';
import { until } from '../support/until.js';

const ENGINE_SETTINGS = {
  SIM_BOOT_MS: '100',
  SIM_PREBUF_MS: '150',
  SIM_BITRATE: '480000',
  SIM_CHUNK_BYTES: '16384',
  SIM_BURST_SEC: '6',
  SIM_BURST_FACTOR: '8',
  // A session that did not receive its stop ends after this time.
  SIM_IDLE_MS: '5000',
};

/** Time in which the proxy must release everything. */
const RELEASE_LIMIT_MS = 30_000;
/** The proxy keeps connections to the orchestrator open, so the number of open files may differ by this. */
export const OPEN_FILES_SLACK = 4;

export class FleetEngine extends StandaloneEngine {
  /** Number of faults during which it could not receive a stop. */
  unreachableTimes = 0;
}

export class EngineFleet {
  private constructor(
    private readonly folder: string,
    private readonly reservedPorts: ReservedPorts,
    readonly engines: readonly FleetEngine[],
    private readonly orchestrator: OrchestratorServer,
    private readonly proxy: ServiceProcess,
    readonly proxyUrl: string,
  ) {}

  static async open(count: number): Promise<EngineFleet> {
    const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
    const [orchestratorPort, proxyPort] = await freePorts(2);
    const reservedPorts = await reservePorts(PORTS_PER_STACK);
    const engines = Array.from({ length: count }, (_, index) => {
      const id = String(index + 1);
      return new FleetEngine(id, enginePortsIn(reservedPorts.first, index), join(folder, id), ENGINE_SETTINGS);
    });
    const orchestrator = new OrchestratorServer({ engines: engines.map(({ id, ports }) => ({ id, port: ports.http })) });
    await orchestrator.listen(orchestratorPort);
    const proxy = ServiceProcess.ofApp('proxy', {
      cwd: folder,
      env: {
        ACEXY_LISTEN_ADDR: `:${proxyPort}`,
        ACEXY_ORCH_URL: `http://127.0.0.1:${orchestratorPort}`,
        ACEXY_NO_RESPONSE_TIMEOUT: '2s',
        ACEXY_FIRST_BYTE_TIMEOUT: '3s',
        ACEXY_STALL_TIMEOUT: '2s',
        ACEXY_EMPTY_TIMEOUT: '30s',
        ACEXY_LINGER: '200ms',
        ACEXY_BUFFER_SECONDS: '10',
        ...(process.env.CHAOS_PROXY_LOG ? { ACEXY_LOG_LEVEL: 'DEBUG' } : {}),
      },
    });
    const fleet = new EngineFleet(folder, reservedPorts, engines, orchestrator, proxy, `http://127.0.0.1:${proxyPort}`);
    try {
      await until('the proxy', async () => (await fetch(`${fleet.proxyUrl}/health/ready`)).ok);
      await Promise.all(engines.map((engine) => engine.revive()));
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  streamUrl(id: string): string {
    return `${this.proxyUrl}/ace/getstream?id=${id}`;
  }

  /** Engines in use by a stream. */
  get inUse(): FleetEngine[] {
    const { leased } = this.orchestrator;
    return this.engines.filter(({ id }) => leased.has(id));
  }

  /** Number of failovers that found another source. */
  async failovers(): Promise<number> {
    const scrape = await scrapeOf(this.proxyUrl);
    const count = (labels = {}): number => scrape.sum('acexy_failovers_total', labels) ?? 0;
    return count() - count({ outcome: 'given-up' }) - count({ outcome: 'refused' });
  }

  /** Waits until nothing plays and no engine has a session, and returns the resources of the proxy. */
  async idleResources(): Promise<ProcessResources> {
    await until(
      'no stream and no session',
      async () => {
        const { streams } = (await (await fetch(`${this.proxyUrl}/ace/status`)).json()) as { streams: number };
        const metrics = await Promise.all(this.engines.map(({ control }) => control.metrics()));
        return streams === 0 && metrics.every(({ sessions, readers }) => sessions.active === 0 && readers.open === 0);
      },
      RELEASE_LIMIT_MS,
    );
    // Some connections are still closing, so the minimum of several samples counts.
    let minimum = await processResourcesOf(this.proxyUrl);
    for (let sample = 0; sample < 8; sample += 1) {
      await sleep(250);
      const now = await processResourcesOf(this.proxyUrl);
      minimum = {
        files: Math.min(minimum.files, now.files),
        timers: Math.min(minimum.timers, now.timers),
        resident: Math.min(minimum.resident, now.resident),
        heap: Math.min(minimum.heap, now.heap),
      };
    }
    return minimum;
  }

  /** Checks that every session was stopped by the proxy or ended by a fault. A session may expire only if its engine could not receive the stop. */
  async unaccounted(): Promise<string[]> {
    const counters = await Promise.all(
      this.engines.map(async ({ id, control, unreachableTimes }) => ({ id, unreachableTimes, ...(await control.metrics()) })),
    );
    return counters.flatMap(({ id, unreachableTimes, sessions, readers }) => {
      const { opened, stopped, superseded, lost, expired } = sessions;
      const problems: string[] = [];
      if (opened !== stopped + superseded + lost + expired) problems.push(`engine ${id}: ${JSON.stringify(sessions)} do not add up`);
      if (expired > unreachableTimes)
        problems.push(`engine ${id}: ${expired} sessions expired, but it was unreachable only ${unreachableTimes} times`);
      if (readers.maxPerSession > 1) problems.push(`engine ${id}: ${readers.maxPerSession} readers of one session`);
      return problems;
    });
  }

  async close(): Promise<void> {
    await this.proxy.stop();
    // CHAOS_PROXY_LOG names a file for the proxy's log at level DEBUG.
    if (process.env.CHAOS_PROXY_LOG) writeFileSync(process.env.CHAOS_PROXY_LOG, this.proxy.log);
    await Promise.all(this.engines.map((engine) => engine.stop()));
    await this.orchestrator.close();
    await this.reservedPorts.release();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
