import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enginePortRanges, reservePorts, freePorts, type ReservedPorts } from './ports.js';
import { ServiceProcess } from './service-process.js';
import { until } from './until.js';

/** Number of ports of each kind for its engines. */
const PORTS = 20;

export interface Reply {
  status: number;
  headers: Headers;
  /** Parsed if it is JSON. */
  body: unknown;
}

/** An orchestrator in its own process, without a proxy: the test is its client. */
export class OrchestratorProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'orchestrator-'));
  readonly database = join(this.folder, 'orchestrator.db');
  readonly apiKey = 'key-of-the-test';
  process!: ServiceProcess;

  private constructor(
    readonly port: number,
    private readonly reservedPorts: ReservedPorts,
    private readonly env: Record<string, string>,
  ) {}

  static async start(env: Record<string, string> = {}): Promise<OrchestratorProcess> {
    const [port] = await freePorts(1);
    const orchestrator = new OrchestratorProcess(port, await reservePorts(4 * PORTS), env);
    try {
      await orchestrator.launch();
      return orchestrator;
    } catch (error) {
      await orchestrator.stop();
      throw error;
    }
  }

  /** Starts or restarts the process and waits until it is ready. */
  async launch(): Promise<void> {
    this.process = ServiceProcess.ofApp('orchestrator', {
      cwd: this.folder,
      env: {
        APP_PORT: String(this.port),
        API_KEY: this.apiKey,
        ...enginePortRanges(this.reservedPorts.first, PORTS, PORTS - 1),
        SIM_BOOT_MS: '100',
        MIN_REPLICAS: '0',
        STOP_ENGINES_ON_EXIT: 'true',
        ...this.env,
      },
    });
    await until('the orchestrator is ready', async () => {
      const ended = await Promise.race([this.process.exited, Promise.resolve(null)]);
      if (ended) throw new Error(`it exited:\n${this.process.log}`);
      return (await this.call('GET', '/health/ready')).status === 200;
    });
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }

  /** Makes a call with the key and returns the reply, whatever its status. */
  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.apiKey}`, ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    return { status: response.status, headers: response.headers, body: isJson ? (JSON.parse(text) as unknown) : text };
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.call('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return body as T;
  }

  async stop(): Promise<void> {
    await this.process?.stop();
    await this.reservedPorts.release();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Process ids of the running engines whose state is in `folder`. */
export function engineProcesses(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return (
          command.includes('--http-port') &&
          command.some((part) => part.startsWith(folder)) &&
          !command.some((part) => part.endsWith('.sh'))
        );
      } catch {
        // The process ended during the search.
        return false;
      }
    })
    .map(Number);
}
