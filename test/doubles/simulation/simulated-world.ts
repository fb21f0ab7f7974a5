/** What surrounds a simulated orchestrator: engines that boot, hang and die, on a host that survives restarts of the service. */
import { EngineTimeoutError, UnknownSessionError } from '@acexy/engine-client';
import {
  type EngineInstance,
  type EngineSpec,
  PortTakenError,
  RuntimeFailedError,
  RuntimeUnreachableError,
} from '../../../apps/orchestrator/src/runtime/engine-runtime.js';
import { FakeEngineHost, FakeEngineRuntime } from '../orchestrator/fake-engine-runtime.js';

export const RUNTIME_FAULTS = ['none', 'slow', 'hangs', 'no space', 'unreachable', 'port taken', 'keeps engines'] as const;
/** How the runtime behaves. */
export type RuntimeFault = (typeof RUNTIME_FAULTS)[number];

const BOOT_MS = 3000;

export class SimulatedWorld extends FakeEngineHost {
  fault: RuntimeFault = 'none';
  /** Engines that accept connections and do not answer. */
  readonly hung = new Set<string>();
  /** Start time of each engine, in monotonic milliseconds. */
  readonly upSince = new Map<string, number>();
  /** Engine id of each playing session, by playback id. */
  readonly playing = new Map<string, string>();
  /** Proxies that play but are disconnected. */
  readonly disconnected = new Set<string>();
  /** Starts in progress: a daemon may complete them after the caller was killed. */
  readonly startsInProgress = new Set<EngineSpec>();

  get running(): EngineInstance[] {
    return [...this.engines.values()].filter(({ state, kind }) => state === 'running' && kind === 'acestream');
  }

  /** Completes a start that nobody waits for. */
  async completeStart(spec: EngineSpec): Promise<void> {
    const runtime = new FakeEngineRuntime(this);
    const { id } = await runtime.start(spec, new AbortController().signal);
    this.upSince.set(id, performance.now());
  }

  /** The engine exited or restarted: its sessions are gone. */
  endSessionsOn(id: string): void {
    for (const [session, engine] of this.playing) if (engine === id) this.playing.delete(session);
  }

  isPlayedOn(id: string): boolean {
    return [...this.playing.values()].includes(id);
  }

  answers(id: string): boolean {
    const since = this.upSince.get(id);
    return since !== undefined && !this.hung.has(id) && this.engines.get(id)?.state === 'running' && performance.now() - since >= BOOT_MS;
  }
}

/** The runtime of one run of the service. */
export class SimulatedRuntime extends FakeEngineRuntime {
  private killed = false;

  /** @param onRemove called before every removal that succeeds */
  constructor(
    override readonly world: SimulatedWorld,
    private readonly onRemove: (id: string) => void,
  ) {
    super(world);
  }

  /** The service was killed: further calls have no effect and never settle. */
  kill(): void {
    this.killed = true;
  }

  override preparing(): string | null {
    return null;
  }

  override async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    await this.alive();
    this.applyFault();
    this.world.startsInProgress.add(spec);
    try {
      const instance = await super.start(spec, signal);
      this.world.upSince.set(instance.id, performance.now());
      return instance;
    } finally {
      this.world.startsInProgress.delete(spec);
      await this.alive();
    }
  }

  override async list(): Promise<EngineInstance[]> {
    await this.alive();
    this.applyFault();
    const instances = await super.list();
    return instances.map((one) => {
      const since = this.world.upSince.get(one.id);
      return one.state === 'running' && since !== undefined ? { ...one, maxUptimeMs: performance.now() - since + 1000 } : one;
    });
  }

  override async remove(id: string): Promise<void> {
    await this.alive();
    this.applyFault();
    if (!this.knobs.removeFails) this.onRemove(id);
    await super.remove(id);
    this.world.endSessionsOn(id);
    this.world.upSince.delete(id);
    this.world.hung.delete(id);
  }

  /** An engine exits and its restart policy starts it again. */
  restart(id: string): void {
    const engine = this.world.engines.get(id);
    if (!engine) return;
    this.world.engines.set(id, { ...engine, state: 'running', exitCode: null });
    this.world.upSince.set(id, performance.now());
    this.world.hung.delete(id);
    this.emit({ type: 'started', id });
  }

  private async alive(): Promise<void> {
    // Also stops calls made at the moment of the kill.
    await Promise.resolve();
    if (this.killed) await new Promise<never>(() => {});
  }

  private applyFault(): void {
    const { knobs, world } = this;
    const { fault } = world;
    knobs.startMs = fault === 'slow' ? 8000 : 300;
    knobs.startHangs = fault === 'hangs';
    knobs.listFails = fault === 'unreachable' ? new RuntimeUnreachableError('no Docker Engine answers') : null;
    knobs.removeFails = fault === 'unreachable' || fault === 'keeps engines' ? new RuntimeFailedError('the removal failed') : null;
    knobs.failStart = (spec) => {
      if (fault === 'unreachable') return new RuntimeUnreachableError('no Docker Engine answers');
      if (fault === 'no space') return new RuntimeFailedError('no space left on device');
      return fault === 'port taken' && spec.ports.http % 2 === 0 ? new PortTakenError(spec.ports.http) : null;
    };
  }
}

/** Probes a simulated engine. A hung one takes the complete time limit. */
export class SimulatedProber {
  constructor(
    private readonly world: SimulatedWorld,
    private readonly timeoutMs: number,
  ) {}

  async probe({ id }: { id: string }): Promise<EngineTimeoutError | null> {
    if (this.world.answers(id)) return null;
    if (this.world.hung.has(id)) await new Promise((resolve) => setTimeout(resolve, this.timeoutMs));
    return this.world.answers(id) ? null : new EngineTimeoutError('the engine', 'reply', this.timeoutMs);
  }
}

/** Session statistics of a simulated engine: no answer while it hangs, and an error for an unknown session. */
export class SimulatedSessionStat {
  constructor(private readonly world: SimulatedWorld) {}

  async ask({ id }: { id: string }, { playbackSessionId }: { playbackSessionId: string }): Promise<object> {
    await Promise.resolve();
    if (!this.world.answers(id)) throw new EngineTimeoutError('the engine', 'reply', 3000);
    if (this.world.playing.get(playbackSessionId) !== id) throw new UnknownSessionError('unknown playback session id');
    return {};
  }
}
