import type { EngineState, StreamState } from '@acexy/contracts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enginePortRanges, reservePorts, freePorts, type ReservedPorts } from './ports.js';
import { ServiceProcess } from './service-process.js';
import { type EngineMetrics, SimulatorControl } from './simulator-control.js';
import { until } from './until.js';

/** Default number of ports of each kind for the engines of a pair. */
const PORTS_PER_PAIR = 40;

/** The parts of `GET /ace/status?id=` that tests read. */
export interface StreamStatus {
  state: string;
  stream_id: string;
  failovers: number;
  clients: number;
  bytes_in: number;
  /** Container id of the standby engine. */
  reserve: string | null;
  engine: { container_id: string | null; host: string; port: number };
  viewers: { bytes_sent: number; skips: number }[];
}

export interface PairOptions {
  orchestrator?: Record<string, string>;
  proxy?: Record<string, string>;
  /** Environment of the simulated engines (SIM_*). */
  engines?: Record<string, string>;
  /** Number of ports of each kind. */
  enginePorts?: number;
}

/** An orchestrator and a proxy as users run them: two processes with default settings and simulated engines, in their own folder. */
export class Pair {
  readonly folder = mkdtempSync(join(tmpdir(), 'pair-'));
  readonly apiKey = 'key-of-the-test';
  orchestrator!: ServiceProcess;
  proxy!: ServiceProcess;
  /** First HTTP port of its engines. */
  readonly firstEnginePort: number;

  private constructor(
    readonly apiPort: number,
    readonly proxyPort: number,
    private readonly reservedPorts: ReservedPorts,
    private readonly options: PairOptions,
  ) {
    this.firstEnginePort = reservedPorts.first;
  }

  static async start(options: PairOptions = {}): Promise<Pair> {
    const [apiPort, proxyPort] = await freePorts(2);
    const pair = new Pair(apiPort, proxyPort, await reservePorts(5 * (options.enginePorts ?? PORTS_PER_PAIR)), options);
    try {
      pair.startOrchestrator();
      pair.startProxy();
      await pair.untilReady();
      return pair;
    } catch (error) {
      await pair.stop();
      throw error;
    }
  }

  private get enginePorts(): number {
    return this.options.enginePorts ?? PORTS_PER_PAIR;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.apiPort}`;
  }

  get proxyUrl(): string {
    return `http://127.0.0.1:${this.proxyPort}`;
  }

  /** Starts or restarts the orchestrator, with more settings if given. */
  startOrchestrator(changed: Record<string, string> = {}): void {
    this.orchestrator = this.service('orchestrator', {
      APP_PORT: String(this.apiPort),
      API_KEY: this.apiKey,
      LOG_LEVEL: 'DEBUG',
      ...enginePortRanges(this.firstEnginePort, this.enginePorts),
      STOP_ENGINES_ON_EXIT: 'true',
      // The control port of an engine is in the fifth range, at the same offset as its HTTP port.
      SIM_CONTROL_PORT: `+${4 * this.enginePorts}`,
      ...this.options.engines,
      ...this.options.orchestrator,
      ...changed,
    });
  }

  /** Starts the proxy of the pair, or another one on another port that the caller stops. `env` overrides the settings of the pair. */
  startProxy(port = this.proxyPort, env: Record<string, string> = {}): ServiceProcess {
    const proxy = this.service('proxy', {
      ACEXY_LISTEN_ADDR: `:${port}`,
      ACEXY_ORCH_URL: this.apiUrl,
      ACEXY_ORCH_APIKEY: this.apiKey,
      ACEXY_LOG_LEVEL: 'DEBUG',
      // Tests stop the proxy at once. The test of draining viewers sets its own value.
      ACEXY_DRAIN_TIMEOUT: '0',
      ...this.options.proxy,
      ...env,
    });
    if (port === this.proxyPort) this.proxy = proxy;
    return proxy;
  }

  private service(name: string, env: Record<string, string>): ServiceProcess {
    return ServiceProcess.ofApp(name, { cwd: this.folder, env });
  }

  async untilReady(): Promise<void> {
    await Promise.all(
      [this.apiUrl, this.proxyUrl].map((url) =>
        until(`${url} ready`, async () => {
          const ended = await Promise.race([this.orchestrator.exited, this.proxy.exited, Promise.resolve(null)]);
          if (ended) throw new Error(`a service exited:\n${this.orchestrator.log}\n${this.proxy.log}`);
          return (await fetch(`${url}/health/ready`)).ok;
        }),
      ),
    );
  }

  /** Calls the REST API with the key; throws unless the status is 2xx. */
  async api<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await fetch(this.apiUrl + path, {
      ...init,
      headers: { Authorization: `Bearer ${this.apiKey}`, 'Content-Type': 'application/json', ...init.headers },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  engines(): Promise<EngineState[]> {
    return this.api('/engines');
  }

  startedStreams(): Promise<StreamState[]> {
    return this.api('/streams?status=started');
  }

  /** The control API of this simulated engine. */
  control(engine: EngineState): SimulatorControl {
    return this.controlOf(engine.port);
  }

  /** The control API of the engine with this HTTP port. */
  controlOf(httpPort: number): SimulatorControl {
    return new SimulatorControl(httpPort + 4 * this.enginePorts);
  }

  /** Counters of every listed engine. */
  async engineMetrics(): Promise<EngineMetrics[]> {
    return Promise.all((await this.engines()).map((engine) => this.control(engine).metrics()));
  }

  /** Status of the stream of this content in the proxy. */
  async streamStatus(id: string, proxyUrl = this.proxyUrl): Promise<StreamStatus> {
    return (await (await fetch(`${proxyUrl}/ace/status?id=${id}`)).json()) as StreamStatus;
  }

  async untilNoStreams(): Promise<void> {
    await until('no stream is left', async () => (await this.startedStreams()).length === 0, 30_000);
  }

  streamUrl(id: string): string {
    return `${this.proxyUrl}/ace/getstream?id=${id}`;
  }

  /** Stops both services and the engines, and removes the folder. PAIR_LOGS names a file for their logs. */
  async stop(): Promise<void> {
    await this.proxy?.stop();
    await this.orchestrator?.stop();
    if (process.env.PAIR_LOGS) writeFileSync(process.env.PAIR_LOGS, `${this.orchestrator?.log}\n${this.proxy?.log}`);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    await this.reservedPorts.release();
  }
}

/** A content id: 40 hexadecimal digits that end with `index`. */
export function contentId(index: number): string {
  return index.toString(16).padStart(40, 'c');
}
