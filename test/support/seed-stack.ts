import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DOCKER_MISSING, SIMULATOR_IMAGE } from './docker.js';
import { PRIVATE_DAEMON_MISSING, PrivateDockerDaemon } from './private-docker-daemon.js';
import { Pair } from './pair.js';
import { enginePortRanges, reservePorts, freePorts, type ReservedPorts } from './ports.js';
import { ROOT } from './service-process.js';
import { type ShellResult, runShell, runUntilPrinted } from './shell.js';
import { until } from './until.js';

const PORTS_PER_RANGE = 40;

/** The command for `docker-compose` in guides: SEED_COMPOSE, else the plugin, which is faster, else Compose 1. */
const COMPOSE = [process.env.SEED_COMPOSE ?? '', 'docker compose', 'docker-compose'].find(
  (command) => command !== '' && spawnSync('sh', ['-c', `${command} version`]).status === 0,
);

/** Why no stack can run on this machine; null if one can. */
export const STACK_MISSING: string | null =
  DOCKER_MISSING ?? PRIVATE_DAEMON_MISSING ?? (COMPOSE === undefined ? 'there is no docker compose' : null);
if (STACK_MISSING !== null) console.warn(`SKIPPED: ${STACK_MISSING}, so no docker commands of the guide are run`);

/** The host on which the commands of a guide run. */
export interface SeedHost {
  readonly apiUrl: string;
  readonly proxyUrl: string;
  shell(lines: string, env?: Record<string, string>): Promise<ShellResult>;
  shellUntilPrinted(lines: string, wanted: RegExp): Promise<string>;
  stop(): Promise<void>;
}

/** A pair with simulated engines, for commands that need no Docker. */
export async function startPairAsHost(settings: Record<string, string>): Promise<SeedHost> {
  const pair = await Pair.start({ orchestrator: settings, proxy: settings, engines: { SIM_BOOT_MS: '200', SIM_PREBUF_MS: '200' } });
  const env = { API_KEY: pair.apiKey, TERM: 'xterm', COLUMNS: '200', LINES: '100' };
  const mapped = (lines: string): string => withActualPorts(lines, pair.apiPort, pair.proxyPort);
  return {
    apiUrl: pair.apiUrl,
    proxyUrl: pair.proxyUrl,
    shell: (lines, more = {}) => runShell(mapped(lines), { cwd: pair.folder, env: { ...env, ...more } }),
    shellUntilPrinted: (lines, wanted) => runUntilPrinted(mapped(lines), wanted, { cwd: pair.folder, env }),
    stop: () => pair.stop(),
  };
}

function withActualPorts(lines: string, apiPort: number, proxyPort: number): string {
  return lines.replaceAll('localhost:8000', `localhost:${apiPort}`).replaceAll('localhost:8080', `localhost:${proxyPort}`);
}

/**
 * An operator's host: a compose project in a folder, its services and the engines of its orchestrator, all on a separate Docker daemon,
 * so that commands that remove or prune everything can run unchanged. The services are from this checkout and run in the simulator's image,
 * which has Node. `docker` and `gluetun` are containers that do nothing.
 */
export class SeedStack implements SeedHost {
  readonly folder = mkdtempSync(join(tmpdir(), 'seed-'));
  readonly apiKey = 'key-of-the-test';
  readonly ports: Record<'8000' | '8080' | 'acexy-1:8080', number>;

  private constructor(
    readonly docker: PrivateDockerDaemon,
    [api, proxy, second]: number[],
    private readonly reservedPorts: ReservedPorts,
  ) {
    this.ports = { '8000': api, '8080': proxy, 'acexy-1:8080': second };
  }

  static async start(settings: Record<string, string>): Promise<SeedStack> {
    const docker = await PrivateDockerDaemon.start(['--shutdown-timeout', '1'], [SIMULATOR_IMAGE]);
    const stack = new SeedStack(docker, await freePorts(3), await reservePorts(4 * PORTS_PER_RANGE));
    try {
      execFileSync('docker', ['-H', docker.host, 'build', '-q', '-t', 'engine', '-'], {
        input: `FROM ${SIMULATOR_IMAGE}\nENV SIM_BOOT_MS=200 SIM_PREBUF_MS=200\n`,
      });
      stack.writeProject(settings);
      const { code, stderr } = await stack.shell('docker-compose up -d');
      if (code !== 0) throw new Error(stderr);
      await stack.untilReady();
      return stack;
    } catch (error) {
      const { stdout } = await stack.shell('docker-compose logs --tail=20');
      await stack.stop();
      throw new Error(`${(error as Error).message}\n${stdout}`, { cause: error });
    }
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.ports['8000']}`;
  }

  get proxyUrl(): string {
    return `http://127.0.0.1:${this.ports['8080']}`;
  }

  async untilReady(): Promise<void> {
    const urls = Object.values(this.ports).map((port) => `http://127.0.0.1:${port}/health/ready`);
    await Promise.all(urls.map((url) => until(`${url} ready`, async () => (await fetch(url)).ok, 60_000)));
  }

  /** Runs commands unchanged, except for the ports of the services and the program for `docker-compose`. */
  shell(lines: string, env: Record<string, string> = {}): Promise<ShellResult> {
    return runShell(this.mapped(lines), { cwd: this.folder, env: { ...this.environment, ...env } });
  }

  shellUntilPrinted(lines: string, wanted: RegExp): Promise<string> {
    return runUntilPrinted(this.mapped(lines), wanted, { cwd: this.folder, env: this.environment });
  }

  /** Environment of the operator's shell. */
  get environment(): Record<string, string> {
    return { API_KEY: this.apiKey, DOCKER_HOST: this.docker.host, TERM: 'xterm', COLUMNS: '200', LINES: '100' };
  }

  async stop(): Promise<void> {
    await this.docker.dispose();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    await this.reservedPorts.release();
  }

  /** Adds a line to .env. */
  setting(line: string): void {
    writeFileSync(join(this.folder, '.env'), `${line}\n`, { flag: 'a' });
  }

  private mapped(lines: string): string {
    const at = withActualPorts(
      lines.replaceAll('http://acexy-1:8080', `http://localhost:${this.ports['acexy-1:8080']}`),
      this.ports['8000'],
      this.ports['8080'],
    );
    return `docker-compose() { command ${COMPOSE} "$@"; }; export -f docker-compose\n${at}`;
  }

  private writeProject(settings: Record<string, string>): void {
    const { first } = this.reservedPorts;
    const env: Record<string, string> = {
      APP_PORT: String(this.ports['8000']),
      API_KEY: this.apiKey,
      ENGINE_RUNTIME: 'docker',
      TARGET_IMAGE: 'engine',
      IMAGE_PULL: 'never',
      ...enginePortRanges(first, PORTS_PER_RANGE, PORTS_PER_RANGE - 1),
      ACEXY_LISTEN_ADDR: `:${this.ports['8080']}`,
      ACEXY_ORCH_URL: this.apiUrl,
      ACEXY_ORCH_APIKEY: this.apiKey,
      ACEXY_DRAIN_TIMEOUT: '0',
      ...settings,
    };
    writeFileSync(
      join(this.folder, '.env'),
      Object.entries(env)
        .map((entry) => `${entry.join('=')}\n`)
        .join(''),
    );
    mkdirSync(join(this.folder, 'second'));
    const service = (app: string, ...more: string[]): string[] => [
      `    image: ${SIMULATOR_IMAGE}`,
      `    entrypoint: [node, ${join(ROOT, 'apps', app, 'dist/main.js')}]`,
      '    user: "0:0"',
      '    network_mode: host',
      '    restart: unless-stopped',
      `    working_dir: ${this.folder}`,
      `    volumes: ['${ROOT}:${ROOT}:ro', '${this.folder}:${this.folder}', '${this.docker.socketFolder}:${this.docker.socketFolder}']`,
      ...more,
    ];
    // Prints a line, and exits on SIGTERM.
    const idle = (name: string): string[] => [
      `    image: ${SIMULATOR_IMAGE}`,
      `    container_name: ${name}`,
      `    entrypoint: [node, -e, "console.log('${name} is running'); process.once('SIGTERM', () => process.exit()); setInterval(Date, 1e6)"]`,
      '    network_mode: host',
      '    restart: unless-stopped',
    ];
    const files = { orchestrator: `    environment: { DOCKER_HOST: '${this.docker.host}' }` };
    const acexy1 = `    environment: { ACEXY_LISTEN_ADDR: ':${this.ports['acexy-1:8080']}', ACEXY_DATA_DIR: '${this.folder}/second' }`;
    const lines = [
      'services:',
      ...['  orchestrator:', ...service('orchestrator', files.orchestrator)],
      ...['  acexy:', ...service('proxy')],
      ...['  acexy-1:', ...service('proxy', acexy1)],
      ...['  docker:', ...idle('docker')],
      ...['  gluetun:', ...idle('gluetun')],
    ];
    writeFileSync(join(this.folder, 'docker-compose.yml'), `${lines.join('\n')}\n`);
  }
}
