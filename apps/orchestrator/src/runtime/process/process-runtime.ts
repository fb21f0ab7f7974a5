import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Log } from '@acexy/service-kit';
import { CodedError, ListenerSet } from '@acexy/service-kit/primitives';
import {
  type EngineInstance,
  type EngineRuntime,
  type EngineSpec,
  PortTakenError,
  type RuntimeEvent,
  RuntimeFailedError,
} from '../engine-runtime.js';
import type { RuntimeSettings } from '../runtime-settings.js';
import { FileLock, FileLockedError } from '../../locks/file-lock.js';
import { engineEnvironment } from './engine-command.js';
import { EngineFolder } from './engine-folder.js';
import { EngineSpawner, lastLine } from './engine-spawner.js';
import { EngineProcess } from './engine-process.js';
import { Heartbeat } from './heartbeat.js';
import { probePorts } from './port-probe.js';
import { isAlive } from './process-identity.js';

/** Milliseconds between two polls of all engines: an exit is noticed within this time. */
const POLL_MS = 500;
const POLLS_PER_LOG_ROTATION = 10;
/** Grace period of an engine whose start failed. */
const FAILED_START_GRACE_MS = 500;

/** Two orchestrators with one DATA_DIR would manage each other's engines. */
export class DataDirInUseError extends CodedError {
  readonly code = 'data_dir_in_use';

  constructor(dataDir: string, holder: string, options?: ErrorOptions) {
    super(`DATA_DIR ${dataDir} is in use by another orchestrator (${holder}): stop it, or set another DATA_DIR for this one`, options);
  }
}

/**
 * Engines as local processes. An id is 12 random hexadecimal digits, like the short id of a Docker container: clients that know container ids
 * accept it.
 */
export class ProcessRuntime implements EngineRuntime {
  readonly name = 'process';
  /** Local processes use the network of this machine. */
  readonly networkOwners = null;

  private readonly dataDir: string;
  private readonly root: string;
  private readonly host: string;
  private readonly log: Log;
  private readonly heartbeat: Heartbeat;
  private readonly spawner: EngineSpawner;
  private readonly engines = new Map<string, EngineProcess>();
  private readonly listeners = new ListenerSet<RuntimeEvent>((error) => this.log.error('runtime event listener failed', { error }));
  private lock: FileLock | null = null;
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> = Promise.resolve();
  private polls = 0;

  constructor(settings: Pick<RuntimeSettings, 'dataDir' | 'engineCommand' | 'engineHost'>, log: Log) {
    this.log = log.child('runtime');
    this.dataDir = resolve(settings.dataDir);
    this.root = join(this.dataDir, 'engines');
    this.host = settings.engineHost ?? '127.0.0.1';
    const heartbeatFile = join(this.dataDir, 'heartbeat');
    this.heartbeat = new Heartbeat(heartbeatFile, this.log);
    this.spawner = new EngineSpawner(settings.engineCommand, heartbeatFile);
  }

  /** @throws DataDirInUseError, RuntimeFailedError */
  async open(): Promise<void> {
    this.spawner.check();
    try {
      await mkdir(this.root, { recursive: true });
      this.lock = FileLock.acquire(join(this.dataDir, 'lock'));
      await this.heartbeat.start();
    } catch (error) {
      if (error instanceof FileLockedError) throw new DataDirInUseError(this.dataDir, error.holder, { cause: error });
      throw new RuntimeFailedError(`DATA_DIR ${this.dataDir} cannot be used: ${(error as Error).message}`, { cause: error });
    }
    for (const folder of await EngineFolder.all(this.root)) await this.adoptOrDelete(folder);
    this.timer = setInterval(() => void this.pollSafely(), POLL_MS);
  }

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
      const child = await this.spawner.spawn(folder, spec, environment);
      engine = new EngineProcess(record, folder, child, null);
      this.engines.set(record.id, engine);
      child.once('exit', () => void this.pollSafely());
      await this.spawner.settle(engine, signal);
      engine.state = 'running';
    } catch (error) {
      await this.undoStart(engine, folder);
      if (signal.aborted || error instanceof PortTakenError || error instanceof RuntimeFailedError) throw error;
      throw new RuntimeFailedError(`an engine cannot be started in ${this.dataDir}: ${(error as Error).message}`, { cause: error });
    }
    this.listeners.emit({ type: 'started', id: record.id });
    return engine.instance(this.host);
  }

  async list(): Promise<EngineInstance[]> {
    await this.poll();
    return [...this.engines.values()].map((engine) => engine.instance(this.host));
  }

  async remove(id: string, graceMs: number): Promise<void> {
    const engine = this.engines.get(id);
    if (!engine) return;
    engine.removal ??= this.stopAndDelete(engine, graceMs).finally(() => {
      engine.removal = null;
    });
    await engine.removal;
  }

  watch(listener: (event: RuntimeEvent) => void): () => void {
    return this.listeners.subscribe(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.heartbeat.stop();
    await this.polling;
    this.lock?.release();
    this.lock = null;
  }

  private async adoptOrDelete(folder: EngineFolder): Promise<void> {
    const record = await folder.record();
    const guard = await folder.processOf('guard');
    if (record === null || guard === null || !(await isAlive(guard))) return this.delete(folder);
    this.engines.set(record.id, new EngineProcess(record, folder, null, guard));
    this.log.info('engine adopted', { engine_id: record.id, name: record.spec.name, port: record.spec.ports.http });
  }

  private async delete(folder: EngineFolder): Promise<void> {
    const discarded = await folder.discard();
    const record = await discarded.record();
    const guard = await discarded.processOf('guard');
    // The orchestrator was killed while this guard was starting.
    if (record && guard) await new EngineProcess(record, discarded, null, guard).stop(0);
    await discarded.delete();
  }

  private async undoStart(engine: EngineProcess | null, folder: EngineFolder): Promise<void> {
    try {
      await engine?.stop(FAILED_START_GRACE_MS);
      await this.delete(folder);
      // Last: an engine that does not end stays known.
      if (engine) this.engines.delete(engine.record.id);
    } catch (error) {
      this.log.error('removing a failed engine failed', { folder: folder.path, error });
    }
  }

  private async stopAndDelete(engine: EngineProcess, graceMs: number): Promise<void> {
    const { id } = engine.record;
    await engine.stop(graceMs);
    await this.delete(engine.folder);
    this.engines.delete(id);
    this.listeners.emit({ type: 'removed', id });
  }

  /** Polls run one after the other. */
  private poll(): Promise<void> {
    const next = (): Promise<void> => this.pollAll();
    return (this.polling = this.polling.then(next, next));
  }

  private async pollAll(): Promise<void> {
    const running = [...this.engines.values()].filter((engine) => engine.state === 'running' && !engine.removal);
    await Promise.all(
      running.map(async (engine) => {
        if (!(await engine.observe()) || engine.removal) return;
        const { record, exitCode, folder } = engine;
        const fields = { engine_id: record.id, exit_code: exitCode, last_log_line: lastLine(await folder.logTail()) };
        this.log.warn('engine exited', fields);
        this.listeners.emit({ type: 'died', id: record.id });
      }),
    );
  }

  /** For timers and events: the next poll is the retry. */
  private async pollSafely(): Promise<void> {
    try {
      await this.poll();
      this.polls += 1;
      if (this.polls % POLLS_PER_LOG_ROTATION !== 0) return;
      await Promise.all([...this.engines.values()].filter((engine) => !engine.removal).map((engine) => engine.folder.rotateLog()));
    } catch (error) {
      this.log.error('engine poll failed', { error });
    }
  }
}
