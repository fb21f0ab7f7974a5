/** Three engines that the proxy gets in the order A, B, C, and the proxy. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OrchestratorServer } from '../doubles/orchestrator-server.js';
import { type ReservedPorts, reservePorts, freePorts } from './ports.js';
import { ServiceProcess } from './service-process.js';
import type { SimulatorControl } from './simulator-control.js';
import { StandaloneEngine, enginePortsIn } from './standalone-engine.js';
import { until } from './until.js';

export type EngineName = 'A' | 'B' | 'C';
export const ENGINE_NAMES: readonly EngineName[] = ['A', 'B', 'C'];

/** Bit/s of the simulated engines. */
export const BITRATE = 1_500_000;
/** Playback starts this many seconds behind the live edge. That part arrives faster than real time by the factor. */
export const BURST_S = 6;
const BURST_FACTOR = 8;
const ENGINE_SETTINGS = {
  SIM_BITRATE: String(BITRATE),
  SIM_BURST_SEC: String(BURST_S),
  SIM_BURST_FACTOR: String(BURST_FACTOR),
  SIM_CHUNK_BYTES: '32768',
};
/** The proxy's timeouts, short so that it detects a fault soon. */
export const LIMITS = {
  ACEXY_NO_RESPONSE_TIMEOUT: '1500ms',
  ACEXY_FIRST_BYTE_TIMEOUT: '2500ms',
  ACEXY_START_TIMEOUT: '8s',
  ACEXY_STALL_TIMEOUT: '1500ms',
  ACEXY_EMPTY_TIMEOUT: '8s',
  ACEXY_LINGER: '0s',
} as const;

/** Number of ports for one test stack, the same everywhere so that ranges never overlap. */
export const PORTS_PER_STACK = 200;

export class EngineTrio {
  private constructor(
    private readonly folder: string,
    private readonly reservedPorts: ReservedPorts,
    readonly orchestrator: OrchestratorServer,
    private readonly engines: ReadonlyMap<EngineName, StandaloneEngine>,
    readonly proxy: ServiceProcess,
    readonly proxyUrl: string,
  ) {}

  static async open(): Promise<EngineTrio> {
    const folder = mkdtempSync(join(tmpdir(), 'trio-'));
    const [orchestratorPort, proxyPort] = await freePorts(2);
    // Not ephemeral ports: an engine that closes its ports for a while must find them free afterwards.
    const reservedPorts = await reservePorts(PORTS_PER_STACK);
    const engines = new Map(
      ENGINE_NAMES.map((name, index) => [
        name,
        new StandaloneEngine(name, enginePortsIn(reservedPorts.first, index), join(folder, name), ENGINE_SETTINGS),
      ]),
    );
    const orchestrator = new OrchestratorServer({ engines: [...engines].map(([id, { ports }]) => ({ id, port: ports.http })) });
    await orchestrator.listen(orchestratorPort);
    const proxy = ServiceProcess.ofApp('proxy', {
      cwd: folder,
      env: {
        ACEXY_LISTEN_ADDR: `:${proxyPort}`,
        ACEXY_ORCH_URL: `http://127.0.0.1:${orchestratorPort}`,
        ACEXY_LOG_LEVEL: 'DEBUG',
        ...LIMITS,
      },
    });
    const trio = new EngineTrio(folder, reservedPorts, orchestrator, engines, proxy, `http://127.0.0.1:${proxyPort}`);
    try {
      await until('the proxy', async () => (await fetch(`${trio.proxyUrl}/health/ready`)).ok);
      await trio.reset();
    } catch (error) {
      await trio.close();
      throw error;
    }
    return trio;
  }

  engine(name: EngineName): SimulatorControl {
    return this.of(name).control;
  }

  async kill(name: EngineName): Promise<void> {
    await this.of(name).kill();
  }

  streamUrl(id: string): string {
    return `${this.proxyUrl}/ace/getstream?id=${id}`;
  }

  /** The engine that delivers the stream, and the state of the stream; null if there is no such stream. */
  async serving(id: string): Promise<{ on: EngineName | null; state: string; failovers: number } | null> {
    const response = await fetch(`${this.proxyUrl}/ace/status?id=${id}`);
    if (!response.ok) return null;
    const { engine, state, failovers } = (await response.json()) as { engine: { port: number } | null; state: string; failovers: number };
    const on = [...this.engines].find(([, { ports }]) => ports.http === engine?.port)?.[0] ?? null;
    return { on, state, failovers };
  }

  /** Active sessions by engine; 0 for an engine that does not run. */
  async sessions(): Promise<Record<EngineName, number>> {
    const counts = await Promise.all([...this.engines.values()].map(async ({ control }) => control.metrics().catch(() => null)));
    return Object.fromEntries(ENGINE_NAMES.map((name, index) => [name, counts[index]?.sessions.active ?? 0])) as Record<EngineName, number>;
  }

  /** Waits until every engine runs without a fault and without a session, and no stream plays. */
  async reset(): Promise<void> {
    this.orchestrator.leave.clear();
    await Promise.all(
      [...this.engines].map(async ([name, engine]) => {
        // The proxy waits a minute for the reply to an unanswered start and keeps the engine. Killing the engine ends that wait.
        if (this.orchestrator.leased.has(name)) await this.kill(name);
        await engine.revive();
        await engine.control.end('stopped');
      }),
    );
    // The proxy repeats an unanswered stop for some seconds before it releases the lease.
    await until(
      'no stream is left',
      async () => {
        const { streams } = (await (await fetch(`${this.proxyUrl}/ace/status`)).json()) as { streams: number };
        return streams === 0 && this.orchestrator.leased.size === 0;
      },
      30_000,
    );
  }

  async close(): Promise<void> {
    await this.proxy.stop();
    await Promise.all([...this.engines.values()].map((engine) => engine.stop()));
    await this.orchestrator.close();
    await this.reservedPorts.release();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private of(name: EngineName): StandaloneEngine {
    const engine = this.engines.get(name);
    if (engine === undefined) throw new Error(`no engine ${name}`);
    return engine;
  }
}
