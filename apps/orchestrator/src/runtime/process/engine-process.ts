import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EngineInstance, type InstanceState, RuntimeFailedError } from '../engine-runtime.js';
import type { EngineFolder, EngineRecord } from './engine-folder.js';
import { isAlive, type ProcessRef, processOf } from './process-identity.js';

/** Milliseconds between two checks of a process that is about to end. */
const POLL_MS = 25;
/** Time the kernel may need to end a killed process. */
const KILL_LIMIT_MS = 5000;

/** One engine and its guard, started by this run of the service or adopted. */
export class EngineProcess {
  state: InstanceState;
  exitCode: number | null = null;
  /** Set while it is being removed: every caller waits for the same removal. */
  removal: Promise<void> | null = null;

  constructor(
    readonly record: EngineRecord,
    readonly folder: EngineFolder,
    /** The guard as our child process; null for an adopted engine. */
    private readonly child: ChildProcess | null,
    private readonly guard: ProcessRef | null,
  ) {
    this.state = guard ? 'running' : 'created';
  }

  /** Checks whether it still runs; true when this check found that it has ended. */
  async observe(): Promise<boolean> {
    if (this.state === 'exited' || (await this.isRunning())) return false;
    await this.killOrphan();
    this.exitCode = await this.folder.exitCode();
    this.state = 'exited';
    return true;
  }

  /** Ends the whole process group: SIGTERM, then SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (!(await this.isRunning())) return this.killOrphan();
    if (graceMs > 0) {
      this.signal('SIGTERM');
      if (await this.hasEndedWithin(graceMs)) return;
    }
    this.signal('SIGKILL');
    if (await this.hasEndedWithin(KILL_LIMIT_MS)) return;
    throw new RuntimeFailedError(`engine ${this.record.id} (process ${this.pid}) does not end after SIGKILL: check it with ps`);
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
    // The pid of our own child is not reused before Node has reported its end.
    if (this.child) return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
    return this.guard !== null && (await isAlive(this.guard));
  }

  private async hasEndedWithin(limitMs: number): Promise<boolean> {
    for (let waited = 0; waited < limitMs; waited += POLL_MS) {
      if (!(await this.isRunning())) return true;
      await sleep(POLL_MS);
    }
    return !(await this.isRunning());
  }

  /** When the guard itself was killed, the engine still runs in a group without a leader. The guard's file names the engine. */
  private async killOrphan(): Promise<void> {
    const engine = await this.folder.processOf('engine');
    if (!engine || this.pid === undefined) return;
    const found = await processOf(engine.pid);
    if (found?.started === engine.started && found.group === this.pid) this.signal('SIGKILL');
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      // ESRCH: it has just ended by itself.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
