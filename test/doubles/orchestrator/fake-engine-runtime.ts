/** A runtime whose engines are entries in a map. It passes the contract suite. */
import { ListenerSet } from '@acexy/service-kit/primitives';
import {
  type EngineImage,
  type EngineInstance,
  type EngineRuntime,
  type EngineSpec,
  type NetworkOwners,
  PortTakenError,
  type RuntimeEvent,
  RuntimeFailedError,
} from '../../../apps/orchestrator/src/runtime/engine-runtime.js';

/** Where the engines run. Like Docker it outlives the runtime. */
export class FakeEngineHost {
  readonly engines = new Map<string, EngineInstance>();
  /** Ports that other programs use. */
  readonly occupiedPorts = new Set<number>();
  /** No two engines of a host have the same id. */
  nextId = 1;
}

export interface FakeRuntimeKnobs {
  /** Duration of a start in milliseconds; 0: one turn of the event loop. */
  startMs: number;
  removeMs: number;
  /** How long an engine that is being removed is listed as exited, as Docker does it, in milliseconds. */
  exitedMs: number;
  /** A start hangs until it is aborted. */
  startHangs: boolean;
  /** Duration of the cleanup after an aborted start, in milliseconds. */
  abortMs: number;
  /** The error of a start; null: the start succeeds. */
  failStart: (spec: EngineSpec) => Error | null;
  listFails: Error | null;
  removeFails: Error | null;
  /** Address for clients. */
  host: string;
  preparing: string | null;
  image: EngineImage | null;
}

export class FakeEngineRuntime implements EngineRuntime {
  readonly name: 'process' | 'docker' = 'process';
  networkOwners: NetworkOwners | null = null;
  readonly knobs: FakeRuntimeKnobs = {
    startMs: 0,
    removeMs: 0,
    exitedMs: 0,
    startHangs: false,
    abortMs: 0,
    failStart: () => null,
    listFails: null,
    removeFails: null,
    host: '127.0.0.1',
    preparing: null,
    image: null,
  };
  /** The specs of all calls of `start`. */
  readonly startCalls: EngineSpec[] = [];
  readonly removeCalls: string[] = [];
  listCalls = 0;
  startsInProgress = 0;
  opened = false;
  /** Errors that listeners have thrown. */
  readonly listenerErrors: unknown[] = [];
  private readonly listeners = new ListenerSet<RuntimeEvent>((error) => this.listenerErrors.push(error));

  constructor(readonly world: FakeEngineHost = new FakeEngineHost()) {}

  async open(): Promise<void> {
    this.opened = true;
  }

  image(): EngineImage | null {
    return this.knobs.image;
  }

  preparing(): string | null {
    return this.knobs.preparing;
  }

  async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    this.startCalls.push(spec);
    this.startsInProgress += 1;
    try {
      await this.waitForStart(signal);
      const failure = this.knobs.failStart(spec);
      if (failure) throw failure;
      for (const port of hostPortsOf(spec)) if (this.isTaken(port)) throw new PortTakenError(port);
    } finally {
      this.startsInProgress -= 1;
    }
    const engine = this.instance(spec);
    this.world.engines.set(engine.id, engine);
    this.emit({ type: 'started', id: engine.id });
    return engine;
  }

  async list(): Promise<EngineInstance[]> {
    this.listCalls += 1;
    if (this.knobs.listFails) throw this.knobs.listFails;
    return [...this.world.engines.values()].map((engine) => ({ ...engine }));
  }

  async remove(id: string): Promise<void> {
    this.removeCalls.push(id);
    if (this.knobs.removeFails) throw this.knobs.removeFails;
    if (this.knobs.removeMs > 0) await delay(this.knobs.removeMs);
    if (this.knobs.exitedMs > 0 && this.world.engines.has(id)) {
      this.die(id, 0);
      await delay(this.knobs.exitedMs);
    }
    if (this.world.engines.delete(id)) this.emit({ type: 'removed', id });
  }

  watch(listener: (event: RuntimeEvent) => void): () => void {
    return this.listeners.subscribe(listener);
  }

  async close(): Promise<void> {
    this.opened = false;
  }

  /** The engine exits; `silently`: without an event. */
  die(id: string, exitCode = 1, { silently = false } = {}): void {
    const engine = this.world.engines.get(id);
    if (!engine) throw new Error(`no engine ${id}`);
    this.world.engines.set(id, { ...engine, state: 'exited', exitCode });
    if (!silently) this.emit({ type: 'died', id });
  }

  /** Removes the engine without the runtime. */
  vanish(id: string, { silently = false } = {}): void {
    this.world.engines.delete(id);
    if (!silently) this.emit({ type: 'removed', id });
  }

  emit(event: RuntimeEvent): void {
    this.listeners.emit(event);
  }

  private async waitForStart(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let onAbort = (): void => {};
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort);
    });
    const done = this.knobs.startHangs ? new Promise<void>(() => {}) : this.knobs.startMs > 0 ? delay(this.knobs.startMs) : turn();
    try {
      await Promise.race([done, aborted]);
    } catch (error) {
      if (this.knobs.abortMs > 0) await delay(this.knobs.abortMs);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  private isTaken(port: number): boolean {
    const running = [...this.world.engines.values()].filter(({ state }) => state === 'running');
    return this.world.occupiedPorts.has(port) || running.some((engine) => hostPortsOf(engine).includes(port));
  }

  private instance(spec: EngineSpec): EngineInstance {
    const id = (this.world.nextId++).toString(16).padStart(12, '0');
    const { http } = spec.ports;
    return {
      id,
      name: spec.name,
      kind: spec.kind,
      image: spec.image ?? 'fake',
      state: 'running',
      host: this.knobs.host,
      port: http,
      ports: spec.ports,
      labels: spec.labels,
      published: Object.fromEntries(
        Object.entries(spec.publish ?? { [`${http}/tcp`]: http }).map(([port, host]) => [
          port,
          [{ HostIp: '0.0.0.0', HostPort: String(host) }],
        ]),
      ),
      createdAt: Date.now(),
      maxUptimeMs: null,
      exitCode: null,
    };
  }
}

function hostPortsOf({ kind, ports, published, publish }: Partial<EngineInstance & EngineSpec>): number[] {
  if (kind !== 'generic') return Object.values({ ...ports });
  const bound = Object.values(published ?? {}).flatMap((bindings) => (bindings ?? []).map(({ HostPort }) => Number(HostPort)));
  return [...bound, ...Object.values(publish ?? {})];
}

/** Uses the global timer, which a test may have replaced. */
function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** One turn of the event loop, also under fake timers. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

export function startFailure(message = 'the engine exited at once'): RuntimeFailedError {
  return new RuntimeFailedError(message);
}
