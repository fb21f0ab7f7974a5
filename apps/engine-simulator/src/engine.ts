/** The engine as a whole: its memory, its four ports, its boot, its faults and its end. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ContentDirectory, readCatalog } from './contents/content-directory.js';
import { Counters } from './counters/counters.js';
import { Broadcasts, type EngineParts } from './engine-parts.js';
import { FaultBook } from './faults/fault-book.js';
import type { Knobs } from './faults/knobs.js';
import { EngineHttp } from './http/engine-http.js';
import { Listener } from './listener.js';
import { NetworkState } from './network/network-state.js';
import type { EngineOptions } from './options/engine-options.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { StateFolder } from './state-folder.js';

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
  readonly parts: EngineParts;
  readonly http: Listener;
  readonly https: Listener;
  readonly api: Listener;
  readonly p2p: Listener;
  readonly startedAt = Date.now();
  private currentState: EngineState = 'down';
  private readonly timers: NodeJS.Timeout[] = [];
  private boots = new AbortController();
  private balloon: Buffer | null = null;
  private crash: NodeJS.Timeout | null = null;
  private closing: Promise<unknown> = Promise.resolve();
  private readonly folder: StateFolder;

  constructor(
    options: EngineOptions,
    knobs: Knobs,
    private readonly hooks: EngineHooks,
  ) {
    const faults = new FaultBook(knobs);
    const counters = new Counters();
    const now = () => Date.now();
    this.parts = {
      options,
      faults,
      counters,
      now,
      contents: new ContentDirectory(options.catalogFile ? readCatalog(options.catalogFile) : []),
      sessions: new SessionRegistry(faults, counters, now, hooks.log),
      broadcasts: new Broadcasts(faults, now),
      network: new NetworkState(faults, now),
      accessToken: options.accessToken ?? randomBytes(32).toString('hex'),
      shutdown: () => void this.end(0),
    };
    this.folder = StateFolder.prepare(options, this.parts.accessToken);
    this.http = new Listener('http', new EngineHttp(this.parts).server, options.host, options.httpPort);
    this.https = new Listener('https', createServer(), options.host, options.httpsPort);
    // Nothing in this product uses the line protocol. The port still listens: engines that share a network must collide on it, as real ones do.
    this.api = new Listener(
      'api',
      createServer((socket) => socket.destroy()),
      options.host,
      options.apiPort,
    );
    // Peers connect, and hear nothing.
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

  /** Boots: nothing listens before the boot time is over. Throws PortError. */
  async boot(): Promise<void> {
    const { signal } = this.boots;
    this.currentState = 'booting';
    this.every(SWEEP_MS, () => this.parts.sessions.sweep());
    this.every(SECOND_MS, () => this.growDisk());
    this.applyFaults();
    const { bootMs, apiDelayMs, neverReady } = this.parts.faults.engine;
    if (bootMs > 0) await delay(bootMs, undefined, { signal });
    if (neverReady) return;
    await this.open(this.http, this.https, this.p2p);
    this.currentState = 'up';
    if (apiDelayMs > 0) await delay(apiDelayMs, undefined, { signal });
    await this.open(this.api);
    this.applyFaults();
  }

  /** What a restart of the process does: every session and connection is gone, and it boots again. */
  async restart(): Promise<void> {
    this.hooks.log('restarting');
    await this.down();
    this.boots = new AbortController();
    await this.boot();
  }

  /** Closes everything; the process may end after it. */
  async down(): Promise<void> {
    this.boots.abort();
    this.currentState = 'down';
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    if (this.crash) clearTimeout(this.crash);
    this.parts.sessions.endAll('lost');
    await Promise.all([this.http, this.https, this.api, this.p2p].map((listener) => listener.close()));
  }

  /** Puts everything away and ends the process. */
  async end(code: number): Promise<void> {
    await this.down();
    this.parts.network.close();
    this.hooks.exit(code);
  }

  private async open(...listeners: Listener[]): Promise<void> {
    for (const listener of listeners) {
      await listener.open();
      this.hooks.log(`listen on ${this.parts.options.host}:${listener.port} (${listener.name})`);
    }
  }

  private every(ms: number, run: () => void): void {
    this.timers.push(setInterval(run, ms));
  }

  private growDisk(): void {
    const { diskGrowKbPerSec } = this.parts.faults.engine;
    if (diskGrowKbPerSec > 0) this.folder.grow(diskGrowKbPerSec * 1000);
  }

  /** Faults that act by themselves, not when somebody asks. */
  private applyFaults(): void {
    const { refuse, memoryMb, crashAfterMs, crashExitCode } = this.parts.faults.engine;
    if (memoryMb * MEBIBYTE !== (this.balloon?.length ?? 0)) this.balloon = memoryMb > 0 ? Buffer.alloc(memoryMb * MEBIBYTE, 1) : null;
    if (this.crash) clearTimeout(this.crash);
    this.crash = null;
    if (crashAfterMs !== null && this.currentState !== 'down') {
      this.crash = setTimeout(() => this.hooks.exit(crashExitCode), Math.max(0, this.startedAt + crashAfterMs - Date.now()));
    }
    if (refuse && this.currentState === 'up') {
      this.currentState = 'refusing';
      this.closeForNow();
    } else if (!refuse && this.currentState === 'refusing') {
      this.currentState = 'up';
      this.openAgain();
    }
  }

  private closeForNow(): void {
    this.hooks.log('refusing connections');
    this.closing = Promise.all([this.http.close(), this.api.close()]);
  }

  private openAgain(): void {
    // What is still being closed cannot be opened.
    const opening = this.closing.then(() => this.open(this.http, this.api));
    opening.catch((error: unknown) => {
      this.hooks.log(`cannot listen again: ${(error as Error).message}`);
      this.hooks.exit(1);
    });
  }
}
