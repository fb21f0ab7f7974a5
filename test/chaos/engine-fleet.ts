/** Any number of engines, an orchestrator that leases them in order, and a proxy. At the end it checks that all sessions are accounted for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OrchestratorServer } from '../doubles/orchestrator-server.js';
import { type ReservedPorts, reservePorts, freePorts } from '../support/ports.js';
import { ROOT, ServiceProcess, startEngine } from '../support/service-process.js';
import { SimulatorControl } from '../support/simulator-control.js';
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
const QUIET_LIMIT_MS = 30_000;
/** The proxy keeps connections to the orchestrator open, so the number of open files may differ by this. */
export const KEPT_FILES = 4;

export class FleetEngine {
  readonly control: SimulatorControl;
  /** Number of faults during which it could not receive a stop. */
  unreachableTimes = 0;
  private process: ServiceProcess;

  constructor(
    readonly id: string,
    readonly ports: { http: number; https: number; api: number; p2p: number; control: number },
    private readonly folder: string,
  ) {
    this.control = new SimulatorControl(ports.control);
    this.process = startEngine(ports, folder, ENGINE_SETTINGS);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }

  /** Restarts it if needed and clears its faults. */
  async revive(): Promise<void> {
    const ended = await Promise.race([this.process.exited, Promise.resolve(null)]);
    if (ended !== null) this.process = startEngine(this.ports, this.folder, ENGINE_SETTINGS);
    await until(`engine ${this.id}`, async () => {
      await this.control.clearFaults();
      return (await fetch(`http://127.0.0.1:${this.ports.http}/webui/api/service?method=get_version`)).ok;
    });
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }
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
      const [http, https, api, p2p, control] = [0, 1, 2, 3, 4].map((port) => reservedPorts.first + 5 * index + port);
      return new FleetEngine(String(index + 1), { http, https, api, p2p, control }, join(folder, String(index + 1)));
    });
    const orchestrator = new OrchestratorServer({ engines: engines.map(({ id, ports }) => ({ id, port: ports.http })) });
    await orchestrator.listen(orchestratorPort);
    const proxy = new ServiceProcess('proxy', [process.execPath, join(ROOT, 'apps/proxy/dist/main.js')], {
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

  async failovers(): Promise<number> {
    const text = await (await fetch(`${this.proxyUrl}/metrics`)).text();
    const counted = text
      .split('\n')
      .filter((line) => line.startsWith('acexy_failovers_total{') && !/outcome="(?:given-up|refused)"/.test(line));
    return counted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Waits until nothing plays and no engine has a session, and returns the resources of the proxy. */
  async quiet(): Promise<ProcessResources> {
    await until(
      'no stream and no session',
      async () => {
        const { streams } = (await (await fetch(`${this.proxyUrl}/ace/status`)).json()) as { streams: number };
        const metrics = await Promise.all(this.engines.map(({ control }) => control.metrics()));
        return streams === 0 && metrics.every(({ sessions, readers }) => sessions.active === 0 && readers.open === 0);
      },
      QUIET_LIMIT_MS,
    );
    // Some connections are still closing, so the minimum of several samples counts.
    let least = await processResourcesOf(this.proxyUrl);
    for (let look = 0; look < 8; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      const upkeep = await processResourcesOf(this.proxyUrl);
      least = {
        files: Math.min(least.files, upkeep.files),
        timers: Math.min(least.timers, upkeep.timers),
        resident: Math.min(least.resident, upkeep.resident),
        heap: Math.min(least.heap, upkeep.heap),
      };
    }
    return least;
  }

  /** Checks that every session was stopped by the proxy or ended by a fault. A session may expire only if its engine could not receive the stop. */
  async unaccounted(): Promise<string[]> {
    const books = await Promise.all(
      this.engines.map(async ({ id, control, unreachableTimes }) => ({ id, unreachableTimes, ...(await control.metrics()) })),
    );
    return books.flatMap(({ id, unreachableTimes, sessions, readers }) => {
      const { opened, stopped, superseded, lost, expired } = sessions;
      const problems: string[] = [];
      if (opened !== stopped + superseded + lost + expired) problems.push(`engine ${id}: ${JSON.stringify(sessions)} do not add up`);
      if (expired > unreachableTimes)
        problems.push(`engine ${id}: ${expired} sessions never stopped, and it was unreachable ${unreachableTimes} times`);
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
