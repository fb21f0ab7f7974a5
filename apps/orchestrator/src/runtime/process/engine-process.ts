import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineInstance } from '../engine-runtime.js';
import { RuntimeFailedError } from '../engine-runtime.js';
import type { EngineFolder, EngineRecord } from './engine-folder.js';
import { isAlive, type ProcessRef, processOf } from './process-identity.js';

/** Milliseconds between two looks at a process that is about to end or to begin. */
const LOOK_MS = 25;
/** How long the kernel may take to end what was killed. */
const KILL_LIMIT_MS = 5000;

export type EngineProcessState = 'created' | 'running' | 'exited';

/** One engine and its guard, whether started by this run of the service or found. */
export class EngineProcess {
  state: EngineProcessState;
  exitCode: number | null = null;
  /** Set while it is being removed, so that everybody who asks for it waits for the same. */
  removal: Promise<void> | null = null;

  constructor(
    readonly record: EngineRecord,
    readonly folder: EngineFolder,
    /** Its parent is this process only where we started it; an adopted one has none. */
    private readonly child: ChildProcess | null,
    private guard: ProcessRef | null,
  ) {
    this.state = guard ? 'running' : 'created';
  }

  /** Looks whether it still runs; true where this look saw it end. */
  async observe(): Promise<boolean> {
    if (this.state === 'exited' || (await this.isRunning())) return false;
    await this.endGroup();
    this.exitCode = await this.folder.exitCode();
    this.state = 'exited';
    return true;
  }

  /** Ends the whole group: TERM, and KILL where it has not gone within `graceMs`. */
  async end(graceMs: number): Promise<void> {
    if (!(await this.isRunning())) return this.endGroup();
    if (graceMs > 0) {
      this.signal('SIGTERM');
      if (await this.isGoneWithin(graceMs)) return;
    }
    this.signal('SIGKILL');
    if (await this.isGoneWithin(KILL_LIMIT_MS)) return;
    throw new RuntimeFailedError(`engine ${this.record.id} (process ${this.pid}) cannot be ended: look at it with ps and end it by hand`);
  }

  instance(host: string): EngineInstance {
    const { id, createdAt, spec } = this.record;
    const { http, https } = spec.ports;
    const published = (port: number) => ({ [`${port}/tcp`]: [{ HostIp: '0.0.0.0', HostPort: String(port) }] });
    return {
      id,
      name: spec.name,
      kind: spec.kind,
      image: 'local process',
      state: this.state,
      maxUptimeMs: null,
      host,
      port: http,
      ports: spec.ports,
      labels: spec.labels,
      published: { ...published(http), ...published(https) },
      createdAt,
      exitCode: this.exitCode,
    };
  }

  private get pid(): number | undefined {
    return this.guard?.pid ?? this.child?.pid;
  }

  private async isRunning(): Promise<boolean> {
    // As long as our own child has not been reported dead its pid is nobody else's.
    if (this.child) return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
    return this.guard !== null && (await isAlive(this.guard));
  }

  private async isGoneWithin(limitMs: number): Promise<boolean> {
    for (let waited = 0; waited < limitMs; waited += LOOK_MS) {
      if (!(await this.isRunning())) return true;
      await delay(LOOK_MS);
    }
    return !(await this.isRunning());
  }

  /** Where the guard itself was killed, the engine runs on in a group that nobody leads; it is known by the guard's note. */
  private async endGroup(): Promise<void> {
    const engine = await this.folder.engine();
    const group = this.pid;
    if (!engine || group === undefined) return;
    const found = await processOf(engine.pid);
    if (found?.started === engine.started && found.group === group) signalGroup(group, 'SIGKILL');
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined) signalGroup(this.pid, signal);
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    // It has just ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
