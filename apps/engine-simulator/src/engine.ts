/** The whole engine: its state, its four ports, its boot, its faults and its end. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ContentCatalog, readCatalogFile } from './catalog/content-catalog.js';
import { EngineMetrics } from './metrics/engine-metrics.js';
import type { EngineContext } from './engine-context.js';
import { FaultInjector } from './faults/fault-injector.js';
import type { SimulatorSettings } from './faults/simulator-settings.js';
import { EngineHttp } from './http/engine-http.js';
import { Listener } from './listener.js';
import { Broadcasts } from './media/broadcasts.js';
import { NetworkState } from './network/network-state.js';
import type { EngineOptions } from './options/engine-options.js';
import { PlaybackSessions } from './sessions/playback-sessions.js';
import { growCache, prepareStateFolder } from './state-folder.js';

export type EngineState = 'booting' | 'up' | 'refusing' | 'down';

const SWEEP_MS = 500;
const SECOND_MS = 1000;
const MEBIBYTE = 1_048_576;

export interface EngineHooks {
  log(line: string): void;
  /** Ends the process with this code. */
  exit(code: number): void;
}

export class Engine {
  readonly context: EngineContext;
  readonly http: Listener;
  readonly https: Listener;
  readonly api: Listener;
  readonly p2p: Listener;
  readonly startedAt = Date.now();
  private currentState: EngineState = 'down';
  private readonly timers: NodeJS.Timeout[] = [];
  private bootAbort = new AbortController();
  private memoryBalloon: Buffer | null = null;
  private crash: NodeJS.Timeout | null = null;
  private closing: Promise<unknown> = Promise.resolve();
  private readonly cacheFile: string | null;

  constructor(
    options: EngineOptions,
    settings: SimulatorSettings,
    private readonly hooks: EngineHooks,
  ) {
    const faults = new FaultInjector(settings);
    const metrics = new EngineMetrics();
    const now = () => Date.now();
    this.context = {
      options,
      faults,
      metrics,
      now,
      contents: new ContentCatalog(options.catalogFile ? readCatalogFile(options.catalogFile) : []),
      sessions: new PlaybackSessions(faults, metrics, now, hooks.log),
      broadcasts: new Broadcasts(faults, now),
      network: new NetworkState(faults, now),
      accessToken: options.accessToken ?? randomBytes(32).toString('hex'),
    };
    this.cacheFile = prepareStateFolder(options, this.context.accessToken);
    this.http = new Listener('http', new EngineHttp(this.context).server, options.host, options.httpPort);
    this.https = new Listener('https', createServer(), options.host, options.httpsPort);
    // Nothing in this product uses the line protocol. The port still listens, so that engines in one network collide on it as real ones do.
    this.api = new Listener(
      'api',
      createServer((socket) => socket.destroy()),
      options.host,
      options.apiPort,
    );
    // Accepts peers and sends them nothing.
    this.p2p = new Listener(
      'p2p',
      createServer((socket) => socket.resume()),
      options.host,
      options.p2pPort,
    );
    faults.onChange(() => this.applyFaults());
  }

  get state(): EngineState {
    return this.currentState;
  }

  /** Opens the ports after the boot time. @throws PortError */
  async boot(): Promise<void> {
    const { signal } = this.bootAbort;
    this.currentState = 'booting';
    this.every(SWEEP_MS, () => this.context.sessions.sweep());
    this.every(SECOND_MS, () => this.growDisk());
    this.applyFaults();
    const { bootMs, apiDelayMs, neverReady } = this.context.faults.engineSettings;
    if (bootMs > 0) await delay(bootMs, undefined, { signal });
    if (neverReady) return;
    await this.open(this.http, this.https, this.p2p);
    this.currentState = 'up';
    if (apiDelayMs > 0) await delay(apiDelayMs, undefined, { signal });
    await this.open(this.api);
    this.applyFaults();
  }

  /** Ends every session and connection and boots again, as a restart of the process does. */
  async restart(): Promise<void> {
    this.hooks.log('restarting');
    await this.down();
    this.bootAbort = new AbortController();
    await this.boot();
  }

  /** Closes all ports, sessions and timers. */
  async down(): Promise<void> {
    this.bootAbort.abort();
    this.currentState = 'down';
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    if (this.crash) clearTimeout(this.crash);
    this.context.sessions.endAll('lost');
    await Promise.all([this.http, this.https, this.api, this.p2p].map((listener) => listener.close()));
  }

  /** Closes everything and ends the process. */
  async end(code: number): Promise<void> {
    await this.down();
    this.context.network.close();
    this.hooks.exit(code);
  }

  private async open(...listeners: Listener[]): Promise<void> {
    for (const listener of listeners) {
      await listener.open();
      this.hooks.log(`listen on ${this.context.options.host}:${listener.port} (${listener.name})`);
    }
  }

  private every(ms: number, run: () => void): void {
    this.timers.push(setInterval(run, ms));
  }

  private growDisk(): void {
    const { diskGrowKbPerSec } = this.context.faults.engineSettings;
    if (this.cacheFile !== null && diskGrowKbPerSec > 0) growCache(this.cacheFile, diskGrowKbPerSec * 1000);
  }

  /** Applies the faults that act without a request. */
  private applyFaults(): void {
    const { refuse, memoryMb, crashAfterMs, crashExitCode } = this.context.faults.engineSettings;
    if (memoryMb * MEBIBYTE !== (this.memoryBalloon?.length ?? 0))
      this.memoryBalloon = memoryMb > 0 ? Buffer.alloc(memoryMb * MEBIBYTE, 1) : null;
    if (this.crash) clearTimeout(this.crash);
    this.crash = null;
    if (crashAfterMs !== null && this.currentState !== 'down') {
      this.crash = setTimeout(() => this.hooks.exit(crashExitCode), Math.max(0, this.startedAt + crashAfterMs - Date.now()));
    }
    if (refuse && this.currentState === 'up') {
      this.currentState = 'refusing';
      this.closePorts();
    } else if (!refuse && this.currentState === 'refusing') {
      this.currentState = 'up';
      this.reopenPorts();
    }
  }

  private closePorts(): void {
    this.hooks.log('refusing connections');
    this.closing = Promise.all([this.http.close(), this.api.close()]);
  }

  private reopenPorts(): void {
    // A port that is still closing cannot be opened.
    const opening = this.closing.then(() => this.open(this.http, this.api));
    opening.catch((error: unknown) => {
      this.hooks.log(`cannot listen again: ${(error as Error).message}`);
      this.hooks.exit(1);
    });
  }
}
