import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Log } from '@acexy/service-kit';
import type { OrchestratorSettings } from '../../settings.js';
import {
  type EngineInstance,
  type EngineRuntime,
  type EngineSpec,
  PortTakenError,
  type RuntimeEvent,
  RuntimeFailedError,
} from '../engine-runtime.js';
import { DataDirInUseError, DataDirLock } from './data-dir-lock.js';
import { fillEngineCommand, parseEngineCommand } from './engine-command.js';
import { engineEnvironment } from './engine-environment.js';
import { EngineFolder } from './engine-folder.js';
import { EngineProcess } from './engine-process.js';
import { Heartbeat } from './heartbeat.js';
import { probePorts } from './port-probe.js';
import { isAlive } from './process-identity.js';

/** The checkout's folder of this service; the same from `src` and from `dist`. */
const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const GUARD = join(PACKAGE, 'src/runtime/process/engine-guard.sh');
const SIMULATOR = resolve(PACKAGE, '../engine-simulator/dist/main.js');
const SIMULATOR_FLAGS =
  '--client-console --bind-all --http-port {http_port} --https-port {https_port} --api-port {api_port} --port {p2p_port} --state-dir {state_dir}';

/** An engine that has lost its orchestrator ends after so many unchanged readings of the heartbeat, so many seconds apart: 14 to 16 s. */
const GUARD_READING_S = 2;
const GUARD_READINGS = 7;
/** Milliseconds between two looks at all engines; a death is seen by then at the latest. */
const LOOK_MS = 500;
const LOOKS_PER_LOG_CHECK = 10;
/** An engine that is still there after this has started; what fails at once (a wrong command, a port) fails sooner. */
const SETTLE_MS = 250;
const SETTLE_LOOK_MS = 25;
/** Of an engine whose start failed. */
const FAILED_START_GRACE_MS = 500;
const PORT_MESSAGE = /EADDRINUSE|address (is )?already in use/i;

/**
 * Engines as local processes. Ids are 12 random hexadecimal digits, as Docker shows its own: short enough to read out, and clients
 * that know container ids take them as such.
 */
export class ProcessRuntime implements EngineRuntime {
  readonly name = 'process';
  /** Local processes share this machine's network, whoever owns that. */
  readonly networkOwners = null;

  private readonly dataDir: string;
  private readonly engines = new Map<string, EngineProcess>();
  private readonly listeners = new Set<(event: RuntimeEvent) => void>();
  private readonly heartbeat: Heartbeat;
  private readonly log: Log;
  private lock: DataDirLock | null = null;
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> = Promise.resolve();
  private looks = 0;

  constructor(
    private readonly settings: Pick<OrchestratorSettings, 'dataDir' | 'engineCommand' | 'engineHost'>,
    log: Log,
  ) {
    this.log = log.child('runtime');
    this.dataDir = resolve(settings.dataDir);
    this.heartbeat = new Heartbeat(join(this.dataDir, 'heartbeat'), this.log);
  }

  /** @throws DataDirInUseError, RuntimeFailedError */
  async open(): Promise<void> {
    if (!this.settings.engineCommand && !existsSync(SIMULATOR)) {
      throw new RuntimeFailedError(`the engine simulator is not built (${SIMULATOR}): run npm run build, or set ENGINE_COMMAND`);
    }
    try {
      await mkdir(this.root, { recursive: true });
      this.lock = await DataDirLock.acquire(this.dataDir);
      await this.heartbeat.start();
    } catch (error) {
      if (error instanceof DataDirInUseError) throw error;
      throw new RuntimeFailedError(`DATA_DIR ${this.dataDir} cannot be used: ${(error as Error).message}`, { cause: error });
    }
    for (const folder of await EngineFolder.all(this.root)) await this.adoptOrClear(folder);
    this.timer = setInterval(() => void this.lookSafely(), LOOK_MS);
  }

  /** What it runs is on this machine already. */
  image(): null {
    return null;
  }

  preparing(): null {
    return null;
  }

  async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    signal.throwIfAborted();
    const environment = engineEnvironment(spec, process.env);
    await probePorts(spec.ports);
    signal.throwIfAborted();
    const record = { id: randomBytes(6).toString('hex'), spec, createdAt: Date.now() };
    const folder = new EngineFolder(this.root, record.id);
    let engine: EngineProcess | null = null;
    try {
      await folder.create(record);
      const child = await this.spawnGuard(folder, spec, environment);
      engine = new EngineProcess(record, folder, child, null);
      this.engines.set(record.id, engine);
      child.once('exit', () => void this.lookSafely());
      await this.settle(engine, signal);
      engine.state = 'running';
    } catch (error) {
      await this.undoStart(engine, folder);
      throw this.startError(error, signal);
    }
    this.emit({ type: 'started', id: record.id });
    return engine.instance(this.host);
  }

  async list(): Promise<EngineInstance[]> {
    await this.look();
    return [...this.engines.values()].map((engine) => engine.instance(this.host));
  }

  async remove(id: string, graceMs: number): Promise<void> {
    const engine = this.engines.get(id);
    if (!engine) return;
    engine.removal ??= this.endAndClear(engine, graceMs).finally(() => {
      engine.removal = null;
    });
    await engine.removal;
  }

  watch(listener: (event: RuntimeEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    this.heartbeat.stop();
    await this.looking;
    await this.lock?.release();
    this.lock = null;
  }

  private get root(): string {
    return join(this.dataDir, 'engines');
  }

  private get host(): string {
    return this.settings.engineHost ?? '127.0.0.1';
  }

  private async adoptOrClear(folder: EngineFolder): Promise<void> {
    const record = await folder.record();
    const guard = await folder.guard();
    if (record && guard && (await isAlive(guard))) {
      this.engines.set(record.id, new EngineProcess(record, folder, null, guard));
      this.log.info('engine found again', { container_id: record.id, name: record.spec.name, port: record.spec.ports.http });
      return;
    }
    await this.clear(folder);
  }

  private async clear(folder: EngineFolder): Promise<void> {
    const gone = await folder.discard();
    const record = await gone.record();
    const guard = await gone.guard();
    // A guard that was just starting when its orchestrator was killed.
    if (record && guard) await new EngineProcess(record, gone, null, guard).end(0);
    await gone.delete();
  }

  private async spawnGuard(folder: EngineFolder, spec: EngineSpec, env: Record<string, string>): Promise<ChildProcess> {
    const command = fillEngineCommand(this.commandWords(), spec, folder.stateDir);
    const logFile = await open(folder.logFile, 'a');
    try {
      const guardArguments = [GUARD, folder.path, join(this.dataDir, 'heartbeat'), String(GUARD_READING_S), String(GUARD_READINGS)];
      const child = spawn('/bin/sh', [...guardArguments, ...command], {
        cwd: folder.stateDir,
        detached: true,
        env,
        stdio: ['ignore', logFile.fd, logFile.fd],
      });
      await once(child, 'spawn');
      child.unref();
      return child;
    } finally {
      await logFile.close();
    }
  }

  private commandWords(): string[] {
    const template = this.settings.engineCommand;
    return template ? parseEngineCommand(template) : [process.execPath, SIMULATOR, ...parseEngineCommand(SIMULATOR_FLAGS)];
  }

  private async undoStart(engine: EngineProcess | null, folder: EngineFolder): Promise<void> {
    try {
      await engine?.end(FAILED_START_GRACE_MS);
      await this.clear(folder);
      // Last: an engine that could not be ended stays known.
      if (engine) this.engines.delete(engine.record.id);
    } catch (error) {
      this.log.error('what a failed start has left cannot be cleared away', { folder: folder.path, error });
    }
  }

  private startError(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted || error instanceof PortTakenError || error instanceof RuntimeFailedError) return error;
    return new RuntimeFailedError(`an engine cannot be started in ${this.dataDir}: ${(error as Error).message}`, { cause: error });
  }

  /** Waits until the engine runs and has not failed at once. */
  private async settle(engine: EngineProcess, signal: AbortSignal): Promise<void> {
    for (let settled = 0; settled < SETTLE_MS;) {
      signal.throwIfAborted();
      await engine.observe();
      if (engine.state === 'exited') throw await failedStart(engine);
      if (await engine.folder.engine()) settled += SETTLE_LOOK_MS;
      await delay(SETTLE_LOOK_MS);
    }
    signal.throwIfAborted();
  }

  private async endAndClear(engine: EngineProcess, graceMs: number): Promise<void> {
    const { id } = engine.record;
    await engine.end(graceMs);
    await this.clear(engine.folder);
    this.engines.delete(id);
    this.emit({ type: 'removed', id });
  }

  /** One look after the other. */
  private look(): Promise<void> {
    this.looking = this.looking.then(
      () => this.lookAtAll(),
      () => this.lookAtAll(),
    );
    return this.looking;
  }

  private async lookAtAll(): Promise<void> {
    const engines = [...this.engines.values()].filter((engine) => engine.state === 'running' && !engine.removal);
    await Promise.all(
      engines.map(async (engine) => {
        if (!(await engine.observe()) || engine.removal) return;
        this.log.warn('engine ended', {
          container_id: engine.record.id,
          exit_code: engine.exitCode,
          last_words: lastLine(await engine.folder.logTail()),
        });
        this.emit({ type: 'died', id: engine.record.id });
      }),
    );
  }

  /** For timers and events: the next look is its own retry. */
  private async lookSafely(): Promise<void> {
    try {
      await this.look();
      this.looks += 1;
      if (this.looks % LOOKS_PER_LOG_CHECK !== 0) return;
      await Promise.all([...this.engines.values()].filter((engine) => !engine.removal).map((engine) => engine.folder.boundLog()));
    } catch (error) {
      this.log.error('engines cannot be looked at', { error });
    }
  }

  private emit(event: RuntimeEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch (error) {
        this.log.error('a listener of engine events failed', { error, event: event.type });
      }
    }
  }
}

async function failedStart(engine: EngineProcess): Promise<Error> {
  const words = await engine.folder.logTail();
  if (PORT_MESSAGE.test(words)) {
    const ports = Object.values(engine.record.spec.ports as unknown as Record<string, number>);
    return new PortTakenError(ports.find((port) => new RegExp(`\\b${port}\\b`).test(words)) ?? engine.record.spec.ports.http);
  }
  return new RuntimeFailedError(
    `the engine ended at once with exit code ${engine.exitCode ?? 'unknown'}: ${lastLine(words) || 'it said nothing'}`,
  );
}

function lastLine(text: string): string {
  return text.split('\n').at(-1) ?? '';
}
